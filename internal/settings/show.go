package settings

import (
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strings"
)

const mask = "••••••"

// secretSuffixes end the names of settings that are secret whatever their tags say.
var secretSuffixes = []string{"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "KEY", "DSN", "CREDENTIALS"}

func isSecret(name string, tag reflect.StructTag) bool {
	if tag.Get("secret") == "true" {
		return true
	}
	for _, suffix := range secretSuffixes {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// show returns the value for people: nothing of a secret one, and of an address neither user nor query.
func show(v reflect.Value, secret bool) string {
	text := fmt.Sprint(v.Interface())
	if v.Kind() == reflect.Slice {
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = show(v.Index(i), secret)
		}
		text = strings.Join(parts, ",")
	}
	switch {
	case text == "":
		return ""
	case secret:
		return mask
	default:
		return maskURL(text)
	}
}

func maskURL(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	u, err := url.Parse(text)
	if err != nil {
		return mask // it has the form of an address, and what cannot be parsed cannot be cleaned
	}
	if u.User != nil {
		u.User = url.User("***")
	}
	if u.RawQuery != "" {
		u.RawQuery = "***"
	}
	return u.String()
}

// Usage writes one block for each setting: name, default, meaning.
func Usage(w io.Writer, settings []Setting) error {
	var b strings.Builder
	for _, s := range settings {
		fmt.Fprintf(&b, "  %s", s.Name)
		if s.Default != "" {
			fmt.Fprintf(&b, " (default %s)", s.Default)
		}
		b.WriteByte('\n')
		if s.Help != "" {
			fmt.Fprintf(&b, "        %s\n", s.Help)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
