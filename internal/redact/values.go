package redact

import "strings"

// longestText is what Values looks at; the rest is left out.
const longestText = 64 << 10

// Values returns text with the credentials in it masked: a setting's value, or an error that quotes
// one. It knows
//
//   - user and password, query and fragment of a URL: postgres://[REDACTED]@db:5432/bets?[REDACTED]
//   - user and password without a scheme, as drivers of databases take them: [REDACTED]@tcp(db:3306)/bets
//   - parameters with a secret name: host=db password=[REDACTED], Pwd=[REDACTED];, "token":"[REDACTED]", --token [REDACTED]
//   - private keys as PEM, and the token behind Bearer
//
// Where it cannot tell how far a credential goes, it masks too much. A secret that stands without
// any of these marks is not found: give the setting a secret name or a Secret. Text beyond 64 KiB
// is cut. Time and memory are in proportion to the text.
func Values(text string) string {
	if len(text) > longestText {
		text = text[:longestText] + "... [cut]"
	}
	if !strings.ContainsAny(text, "=@:?#-") && !strings.Contains(text, "earer ") {
		return text
	}
	return maskAddresses(maskParameters(maskKeys(text)))
}

// maskKeys masks private keys as PEM has them, whole.
func maskKeys(text string) string {
	const begin, end, dashes = "-----BEGIN ", "-----END ", "-----"
	var out strings.Builder
	for {
		i := strings.Index(text, begin)
		if i < 0 {
			break
		}
		body := text[i+len(begin):]
		kind, _, _ := strings.Cut(body, dashes)
		out.WriteString(text[:i])
		if !strings.Contains(kind, "PRIVATE") {
			out.WriteString(begin)
			text = body
			continue
		}
		out.WriteString(Mask)
		_, text, _ = strings.Cut(body, end)
		_, text, _ = strings.Cut(text, dashes)
	}
	return out.String() + text
}
