package redact

// Mask stands in place of a hidden value.
const Mask = "[REDACTED]"

// SecretName reports whether values that stand under this name are hidden: a header, an attribute,
// a field, a setting, a parameter. It is the one list that logs, spans, pages and settings share.
//
// A name is read as words, whatever separates them: X-Api-Key, X_API_KEY and xApiKey are the words
// x, api and key. A word makes a name secret wherever it stands: DB_PASS_OLD, PARTNER_TOKENS,
// authtoken. The word key does so behind another word, unless the two name what identifies and does
// not open, as partition_key does. A name that ends in a word that describes a secret is not
// secret: TOKEN_TTL, PASSWORD_FILE, cookie_count.
//
// SecretName takes time in proportion to the name, and does not allocate.
func SecretName(name string) bool {
	var space [2][longestWord]byte
	var before []byte
	secret, turn := false, 0
	for name != "" {
		var next string
		next, name = cutWord(name)
		word := fold(space[turn][:0], next)
		if len(word) == 0 { // a separator or a number
			continue
		}
		if secretPair(string(before), string(word)) {
			return true
		}
		secret = secret || secretWord(string(before), string(word))
		before, turn = word, 1-turn
	}
	return secret && !describing[string(before)]
}

// secretPair reports whether two words make a name secret that do not by themselves.
func secretPair(before, word string) bool {
	switch word {
	case "id", "ids":
		return before == "session" || before == "secret"
	case "url", "urls", "uri":
		return before == "webhook" || before == "webhooks"
	case "session":
		return before == "x"
	case "signature":
		return before == "x" || before == "access"
	case "pem":
		return before == "private"
	}
	return false
}

// secretWord reports whether a word makes a name secret, behind the word before it.
func secretWord(before, word string) bool {
	switch word {
	case "key", "keys":
		return before != "" && !plainKeys[before]
	case "token", "tokens":
		return !plainTokens[before]
	case "authorization":
		return before != "chassis" // CHASSIS_AUTHORIZATION is a mode
	}
	if secretWords[word] {
		return true
	}
	for _, end := range secretEndings {
		if n := len(word) - len(end); n >= 0 && word[n:] == end {
			return !plainWords[word]
		}
	}
	return false
}

var (
	secretWords = setOf("pass", "pw", "creds", "cred", "auth", "bearer", "jwt", "jwts", "dsn", "dsns", "salt", "otp", "totp")
	// secretEndings end words that are written without a separator too: authtoken, dbpassword.
	secretEndings = []string{
		"password", "passwords", "passwd", "pwd", "passcode", "passphrase", "passphrases", "secret", "secrets", "token", "tokens",
		"credential", "credentials", "cookie", "cookies", "authorization", "sessionid", "apikey", "apikeys", "authkey",
		"privatekey", "secretkey", "accesskey", "signingkey", "encryptionkey", "masterkey",
	}
	// plainKeys stand before a key that identifies something.
	plainKeys = setOf("primary", "foreign", "partition", "partitioning", "routing", "idempotency", "cache", "sort", "sorting", "row",
		"map", "public", "pub", "object", "shard", "sharding", "hash", "range", "group", "message", "event", "record", "lookup",
		"join", "dedup", "deduplication", "translation", "i18n", "bucket", "redis", "kafka", "index", "unique", "composite",
		"natural", "surrogate", "metric", "label", "lock", "config", "feature", "flag", "issue", "json", "header", "query",
		"order", "ordering", "resource", "entity", "item", "user", "customer", "tenant", "search", "context", "tag", "node",
		"tree", "attribute", "field", "unknown", "missing", "duplicate", "invalid", "expired", "deleted", "max", "num", "total", "per")
	// plainTokens stand before a token that continues a list, or before tokens that are counted.
	plainTokens = setOf("page", "pagination", "sync", "next", "continuation", "max", "min", "num", "total", "used", "remaining",
		"input", "output", "prompt", "completion")
	plainWords = setOf("pagetoken", "nextpagetoken", "synctoken", "nexttoken")
	// describing words end the names of what is known of a secret.
	describing = setOf("file", "files", "filename", "path", "paths", "dir", "folder", "mount", "name", "names", "type", "kind", "id", "ids",
		"ttl", "timeout", "expiry", "expires", "expiration", "expired", "lifetime", "age", "at", "in", "seconds", "ms", "interval",
		"leeway", "length", "len", "size", "bytes", "count", "total", "limit", "min", "max", "number", "rate", "issuer", "issuers",
		"audience", "audiences", "subject", "claim", "claims", "alg", "algorithm", "algorithms", "url", "urls", "uri", "endpoint",
		"endpoints", "host", "hosts", "addr", "address", "port", "target", "realm", "domain", "domains", "server", "service",
		"provider", "header", "headers", "enabled", "disabled", "required", "policy", "policies", "mode", "method", "methods", "scheme",
		"schemes", "version", "status", "state", "valid", "error", "errors", "reason", "result", "prefix", "suffix", "user",
		"username", "format", "encoding", "attempts", "retries", "present", "rotation", "store", "backend", "source")
)

func setOf(words ...string) map[string]bool {
	set := make(map[string]bool, len(words))
	for _, word := range words {
		set[word] = true
	}
	return set
}

// cutWord returns the next word of a name and what is behind it. The word is empty where the name
// begins with a separator.
func cutWord(name string) (word, rest string) {
	for i := range len(name) {
		switch {
		case !partOfWord(name[i]):
			return name[:i], name[i+1:]
		case i > 0 && newWord(name, i):
			return name[:i], name[i:]
		}
	}
	return name, ""
}

func partOfWord(c byte) bool { return isUpper(c) || isLower(c) || isDigit(c) || c >= 0x80 }

// newWord reports whether a word begins at i without a separator: dbPassword, APIKey.
func newWord(name string, i int) bool {
	if !isUpper(name[i]) {
		return false
	}
	return !isUpper(name[i-1]) || i+1 < len(name) && isLower(name[i+1])
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// longestWord is what is looked at of a word, from its end.
const longestWord = 24

// fold appends a word to dst in lower case, as much of its end as dst has room for. Digits behind
// it number it: password2.
func fold(dst []byte, word string) []byte {
	for word != "" && isDigit(word[len(word)-1]) {
		word = word[:len(word)-1]
	}
	for i := max(0, len(word)-cap(dst)); i < len(word); i++ {
		c := word[i]
		if isUpper(c) {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
