package redact

import "strings"

// maskParameters masks the values of parameters with a secret name: password=x, Pwd=x;, "token":
// "x", --token x.
func maskParameters(text string) string {
	var out strings.Builder
	done := 0 // what is in out
	for i := 0; i < len(text); i++ {
		var from int
		switch text[i] {
		case '=':
			from = afterEquals(text, i)
		case ':':
			from = afterColon(text, i)
		case ' ':
			from = afterFlag(text, i)
		}
		if from == 0 || from >= len(text) {
			continue
		}
		to := endOfParameter(text, i, from)
		if to == from {
			continue
		}
		open, shut := quotesOf(text[from:to])
		out.WriteString(text[done:from] + open + Mask + shut)
		done, i = to, to-1
	}
	if done == 0 {
		return text
	}
	return out.String() + text[done:]
}

// afterEquals returns where the value of a secret parameter begins, whose equals sign is at i, and
// 0 if there is none.
func afterEquals(text string, i int) int {
	end := i
	for end > 0 && (text[end-1] == ' ' || text[end-1] == ':') { // := assigns too
		end--
	}
	if _, name := nameBefore(text, unquoted(text, end)); !secretParameter(name) {
		return 0
	}
	return skip(text, i+1, "= ")
}

// afterColon is afterEquals for a colon. One behind a bare word needs its value right behind it, or
// stands in a list: else it is more likely to be prose, as in "token: expired".
func afterColon(text string, i int) int {
	end := unquoted(text, i)
	begin, name := nameBefore(text, end)
	if !secretParameter(name) || begin > 0 && text[begin-1] == '/' {
		return 0
	}
	from := skip(text, i+1, " ")
	listed := begin > 0 && strings.IndexByte("{,", text[skipBack(text, begin)]) >= 0
	if end == i && from > i+1 && !listed || from < len(text) && text[from] == '=' {
		return 0
	}
	return from
}

// afterFlag is afterEquals for the space behind a flag, as --token, and for what is behind Bearer.
func afterFlag(text string, i int) int {
	_, name := nameBefore(text, i)
	from := i + 1
	switch {
	case from == len(text):
		return 0
	case strings.HasPrefix(name, "-") && text[from] != '-' && secretParameter(name):
		return from
	case strings.EqualFold(name, "bearer") && endOfWord(text, from)-from >= shortestBearer:
		return from
	}
	return 0
}

// shortestBearer is the length from which what stands behind Bearer is a token, and no word.
const shortestBearer = 16

// secretParameter is SecretName for parameters of texts.
func secretParameter(name string) bool { return name != "" && (SecretName(name) || name == "sig") }

const longestParameter = 64 // bytes of a name

// nameBefore returns the name that ends at end, and where it begins.
func nameBefore(text string, end int) (begin int, name string) {
	begin = end
	for begin > 0 && end-begin < longestParameter && (partOfWord(text[begin-1]) || strings.IndexByte("-_.", text[begin-1]) >= 0) {
		begin--
	}
	return begin, text[begin:end]
}

// unquoted returns where the name ends whose closing quote, perhaps escaped, is before end.
func unquoted(text string, end int) int {
	if end > 0 && isQuote(text[end-1]) {
		end--
		if end > 0 && text[end-1] == '\\' {
			end--
		}
	}
	return end
}

func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' }

func skip(text string, i int, what string) int {
	for i < len(text) && strings.IndexByte(what, text[i]) >= 0 {
		i++
	}
	return i
}

// skipBack returns the index of the last byte before i that is neither a space nor a quote, 0 if there is none.
func skipBack(text string, i int) int {
	for i--; i > 0 && (text[i] == ' ' || isQuote(text[i]) || text[i] == '\\'); {
		i--
	}
	return i
}

// endOfParameter returns where a value ends that begins at from, behind the sign at i.
func endOfParameter(text string, i, from int) int {
	switch c := text[from]; {
	case isQuote(c):
		return endOfQuote(text, from+1, text[from:from+1])
	case c == '\\' && from+1 < len(text) && isQuote(text[from+1]):
		return endOfQuote(text, from+2, text[from:from+2])
	case c == '{' && text[i] == '=': // ODBC
		if n := strings.IndexByte(text[from:], '}'); n > 0 {
			return from + n + 1
		}
	}
	return endOfBare(text, from)
}

// endOfQuote returns the end of a value in quotes, that of the text if they are not closed.
func endOfQuote(text string, from int, quote string) int {
	for i := from; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], quote):
			return i + len(quote)
		case text[i] == '\\':
			i++
		}
	}
	return len(text)
}

// endOfBare returns the end of a value without quotes: a space, or a separator with another parameter behind it. A value
// with a space in it ends at a semicolon on its line.
func endOfBare(text string, from int) int {
	for i := from; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\n' || c == '\r' || c == '"' && (i+1 == len(text) || !partOfWord(text[i+1])):
			return i
		case c == ' ' && isScheme(text[from:i]):
		case c == ' ' || c == '\t':
			if end := endOfPhrase(text, i); end > 0 {
				return end
			}
			return i
		case c == ';' || c == '&' || c == ',':
			if startsParameter(text, i+1) {
				return i
			}
		}
	}
	return len(text)
}

// isScheme reports whether a credential follows that belongs to what stands before it.
func isScheme(value string) bool {
	return strings.EqualFold(value, "bearer") || strings.EqualFold(value, "basic")
}

// endOfPhrase returns where a value ends that has a space at i: at a semicolon before the next parameter, and 0 if there
// is none.
func endOfPhrase(text string, i int) int {
	limit := min(len(text), i+longestParameter)
	for ; i < limit; i++ {
		switch text[i] {
		case ';':
			return i
		case '=', '\n', '"':
			return 0
		}
	}
	return 0
}

// startsParameter reports whether a name and its equals sign begin at i, or nothing does.
func startsParameter(text string, i int) bool {
	i = skip(text, i, " ")
	begin := i
	for i < len(text) && i-begin < longestParameter && (partOfWord(text[i]) || strings.IndexByte("-_.", text[i]) >= 0) {
		i++
	}
	i = skip(text, i, " ")
	return i == len(text) || i > begin && text[i] == '='
}

func endOfWord(text string, from int) int {
	for i := from; i < len(text); i++ {
		if text[i] <= ' ' || isQuote(text[i]) {
			return i
		}
	}
	return len(text)
}

// quotesOf returns what encloses a value, so that it encloses the mask too.
func quotesOf(value string) (open, shut string) {
	switch {
	case isQuote(value[0]):
		return value[:1], value[:1]
	case value[0] == '\\' && len(value) > 1 && isQuote(value[1]):
		return value[:2], value[:2]
	}
	return "", ""
}
