package redact

import (
	"bytes"
	"strings"
)

// maskAddresses masks user and password of addresses, and query and fragment of URLs.
func maskAddresses(text string) string {
	if !strings.ContainsAny(text, "@?#") {
		return text
	}
	out := make([]byte, 0, len(text)+len(Mask))
	for i := 0; i < len(text); {
		if text[i] <= ' ' {
			out = append(out, text[i])
			i++
			continue
		}
		end := endOfToken(text, i)
		token := text[i:end]
		switch {
		case forDriver(token):
			out = append(out[:startOfUser(out)], maskUser(token)...)
		case strings.Contains(token, "://"):
			end = endOfURL(text, i, end)
			out = append(out, maskURL(text[i:end])...)
		default:
			out = append(out, maskUser(token)...)
		}
		i = end
	}
	return string(out)
}

// longestSearch is how far a quote, or the end of a password with spaces, is looked for.
const longestSearch = 512

// endOfToken returns the end of what begins at i: of a text in quotes, or of what is before the
// next space.
func endOfToken(text string, i int) int {
	if isQuote(text[i]) {
		limit := text[:min(len(text), i+longestSearch)]
		if end := endOfQuote(limit, i+1, text[i:i+1]); end < len(limit) {
			return end
		}
	}
	for i < len(text) && text[i] > ' ' {
		i++
	}
	return i
}

// endOfURL returns end, or where the host begins if the password of the URL has spaces in it.
func endOfURL(text string, i, end int) int {
	_, rest, _ := strings.Cut(text[i:end], "://")
	if strings.Contains(rest, "@") || !halfUser(rest) {
		return end
	}
	line, _, _ := strings.Cut(text[end:min(len(text), end+longestSearch)], "\n")
	at := strings.LastIndexByte(line, '@')
	if at < 0 {
		return end
	}
	return endOfToken(text, end+at)
}

// halfUser reports whether an address has a colon with something behind it that is no port.
func halfUser(rest string) bool {
	port, ok := portOf(rest)
	return ok && strings.Trim(port, "0123456789") != ""
}

// portOf returns what stands where the port of an address does.
func portOf(rest string) (port string, ok bool) {
	authority := authorityOf(rest)
	if i := strings.LastIndexByte(authority, ']'); i >= 0 {
		authority = authority[i:]
	}
	_, port, ok = strings.Cut(authority, ":")
	return strings.TrimRight(port, closing), ok
}

func authorityOf(rest string) string {
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		return rest[:i]
	}
	return rest
}

// maskURL masks a token with a scheme in it.
func maskURL(token string) string {
	scheme, rest, _ := strings.Cut(token, "://")
	if at := userEnds(scheme, rest); at >= 0 {
		rest = Mask + rest[at:]
	}
	return scheme + "://" + maskQuery(rest)
}

// userEnds returns where the user of a URL ends, and -1 if it has none. Passwords that have not
// been escaped may have every sign in them, so it is the last @ that may be meant.
func userEnds(scheme, rest string) int {
	authority := authorityOf(rest)
	web := strings.HasSuffix(scheme, "http") || strings.HasSuffix(scheme, "https")
	switch {
	case strings.Contains(rest, "://") || halfUser(rest): // a list of URLs, or a password with a slash
		return lastAt(rest)
	case strings.Contains(authority, "@") && web: // their paths may have an @
		return strings.LastIndexByte(authority, '@')
	case strings.Contains(authority, "@"):
		return lastAt(rest)
	case strings.Contains(authority, ":"):
		path, _, _ := strings.Cut(rest, "?")
		path, _, _ = strings.Cut(path, "#")
		return lastAt(path)
	}
	return -1
}

// lastAt returns the index of the last @ that is not before the digest of an image.
func lastAt(s string) int {
	at := strings.LastIndexByte(s, '@')
	if at >= 0 && strings.HasPrefix(s[at+1:], "sha") {
		return -1
	}
	return at
}

// maskUser masks user:password in a token that has no scheme.
func maskUser(token string) string {
	open := token[:len(token)-len(strings.TrimLeft(token, opening))]
	address := token[len(open):]
	at := lastAt(address)
	switch {
	case strings.HasSuffix(open, Mask[:1]) && strings.HasPrefix(address, Mask[1:]+"@"):
		return token // has been here
	case at > 0 && (forDriver(token) || strings.Contains(address[:at], ":") && !mailbox(address)):
		return open + Mask + maskQuery(address[at:])
	case strings.Contains(address, "/"):
		return open + maskQuery(address)
	}
	return token
}

const (
	opening = "\"'`(<[{"
	closing = "\"'`)>]},.;:"
)

// mailbox reports whether an address has a scheme whose @ stands behind a name alone.
func mailbox(address string) bool {
	scheme, _, _ := strings.Cut(address, ":")
	switch strings.ToLower(scheme) {
	case "mailto", "sip", "sips", "xmpp", "acct", "pkg":
		return true
	}
	return false
}

// forDriver reports whether a token is the end of user:password@tcp(host:port)/name.
func forDriver(token string) bool {
	at := strings.LastIndexByte(token, '@')
	if at < 0 {
		return false
	}
	i := at + 1
	for i < len(token) && partOfWord(token[i]) {
		i++
	}
	return i > at+1 && i < len(token) && token[i] == '('
}

// startOfUser returns where a user may begin at the end of out: the password of a driver may have
// spaces in it.
func startOfUser(out []byte) int {
	near := max(0, len(out)-longestSearch)
	start := near
	for _, before := range []string{": ", "\n", `"`, "'", "`"} {
		if i := bytes.LastIndex(out[near:], []byte(before)); i >= 0 {
			start = max(start, near+i+len(before))
		}
	}
	return start
}

// maskQuery masks what is behind the first ? or # of an address, and keeps the signs that close a sentence.
func maskQuery(address string) string {
	body := strings.TrimRight(address, closing)
	if rest := address[len(body):]; strings.HasPrefix(rest, "]") && strings.HasSuffix(body+"]", Mask) {
		body += "]" // it is the mask's own, of a parameter
	}
	i := strings.IndexAny(body, "?#")
	if i < 0 || i+1 == len(body) || body[i+1:] == Mask {
		return address
	}
	return body[:i+1] + Mask + address[len(body):]
}
