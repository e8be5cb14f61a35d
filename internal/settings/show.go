package settings

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/betmakers/paddock/internal/redact"
)

const mask = "••••••"

// isSecret decides by the field's tag, and without one by its name. By name, switches and times are
// never secret.
func isSecret(name string, field reflect.StructField) bool {
	switch field.Tag.Get("secret") {
	case "true":
		return true
	case "false":
		return false
	}
	return field.Type.Kind() != reflect.Bool && field.Type != reflect.TypeFor[time.Duration]() && redact.SecretName(name)
}

// show returns the value for people: hidden if it is secret, else with its credentials masked.
func show(v reflect.Value, secret bool) string {
	if v.Kind() != reflect.Slice {
		return showText(fmt.Sprint(v.Interface()), secret)
	}
	if secret && v.Len() > 0 {
		return mask
	}
	parts := make([]string, v.Len())
	for i := range parts {
		parts[i] = show(v.Index(i), false)
	}
	return strings.Join(parts, ",")
}

func showText(text string, secret bool) string {
	switch {
	case text == "":
		return ""
	case secret:
		return mask
	default:
		return redact.Values(text)
	}
}

// Usage writes one block for each setting: name, default, limits, meaning.
func Usage(w io.Writer, settings []Setting) error {
	var b strings.Builder
	for _, s := range settings {
		fmt.Fprintf(&b, "  %s", s.Name)
		if s.Default != "" {
			fmt.Fprintf(&b, " (default %s)", s.Default)
		}
		if s.Limits != "" {
			fmt.Fprintf(&b, ", %s", s.Limits)
		}
		b.WriteByte('\n')
		if s.Help != "" {
			b.WriteString(wrapped(s.Help))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// helpWidth is how wide the lines of -help are at most.
const helpWidth = 100

// wrapped returns text in indented lines of at most helpWidth columns. A longer word has a line of
// its own.
func wrapped(text string) string {
	const indent = "        "
	var lines strings.Builder
	line := indent
	for word := range strings.FieldsSeq(text) {
		if line != indent && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > helpWidth {
			lines.WriteString(line + "\n")
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	return lines.String() + line + "\n"
}
