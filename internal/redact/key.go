package redact

import "bytes"

// Mask stands in place of a hidden value.
const Mask = "[REDACTED]"

// secretNames are whole names, and secretEndings the ends of longer ones, both as fold returns them.
var (
	secretNames = map[string]bool{
		"authorization": true, "proxyauthorization": true, "cookie": true, "cookies": true, "setcookie": true,
		"xapikey": true, "apikey": true, "passwd": true, "pwd": true, "credential": true, "credentials": true,
		"privatekey": true, "secretkey": true, "accesskey": true, "signingkey": true, "encryptionkey": true,
		"tokens": true, "secrets": true, "passwords": true, "bearer": true, "jwt": true, "sessionid": true,
	}
	secretEndings = []string{"password", "passphrase", "secret", "token", "apikey", "privatekey", "credentials"}
	// harmless end like a secret and are none: the continuation of a list, by the convention of Google's APIs.
	harmless = map[string]bool{"pagetoken": true, "nextpagetoken": true, "synctoken": true}
)

// Key reports whether values that stand under this name are hidden. Case and the signs - _ . are ignored, so
// X-Api-Key, x_api_key and xApiKey are one name. It does not allocate.
func Key(name string) bool {
	var space [48]byte
	folded := bytes.TrimPrefix(fold(space[:0], name), gatewayPrefix)
	if secretNames[string(folded)] {
		return true
	}
	for _, end := range secretEndings {
		if n := len(folded) - len(end); n >= 0 && string(folded[n:]) == end {
			return !harmless[string(folded)]
		}
	}
	return false
}

// gatewayPrefix is what grpc-gateway puts before the names of HTTP headers in metadata.
var gatewayPrefix = []byte("grpcgateway")

// fold appends the letters and digits of the end of name to dst, as much as dst has room for, in lower case.
func fold(dst []byte, name string) []byte {
	name = name[max(0, len(name)-cap(dst)):]
	for i := range len(name) {
		switch c := name[i]; {
		case 'A' <= c && c <= 'Z':
			dst = append(dst, c+'a'-'A')
		case c == '-', c == '_', c == '.', c == ' ':
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
