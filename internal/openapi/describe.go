package openapi

import (
	"strings"
	"unicode"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Values of google.api.FieldBehavior.
const (
	fieldRequired   = 2
	fieldOutputOnly = 3
	fieldInputOnly  = 4
)

// behaves reports whether the field's google.api.field_behavior holds that value.
func behaves(fd protoreflect.FieldDescriptor, behavior protoreflect.EnumNumber) bool {
	v, ok := option(fd, "google.api.field_behavior")
	if !ok {
		return false
	}
	list := v.List()
	for i := range list.Len() {
		if list.Get(i).Enum() == behavior {
			return true
		}
	}
	return false
}

// deprecated reports whether the standard option of that name is set.
func deprecated(d protoreflect.Descriptor) bool {
	options := d.Options().ProtoReflect()
	fd := options.Descriptor().Fields().ByName("deprecated")
	return fd != nil && options.IsValid() && options.Get(fd).Bool()
}

// comment returns the comment in front of a declaration, without the blanks that begin its lines; empty where the
// descriptor carries none.
func comment(d protoreflect.Descriptor) string {
	lines := strings.Split(d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// summary is the first sentence of a method's comment, or its name in words: PlaceBet is "Place bet".
func summary(method protoreflect.MethodDescriptor) string {
	first, _, _ := strings.Cut(comment(method), "\n\n")
	first = strings.Join(strings.Fields(first), " ")
	if i := strings.Index(first, ". "); i >= 0 {
		first = first[:i]
	}
	if first != "" {
		return strings.TrimSuffix(first, ".")
	}
	return words(string(method.Name()))
}

// words spells a name in camel case as words; runs of capitals stay: GetURLStats is "Get URL stats".
func words(name string) string {
	runes := []rune(name)
	upper := func(i int) bool { return i < len(runes) && unicode.IsUpper(runes[i]) }
	var spelled []string
	for start, i := 0, 1; i <= len(runes); i++ {
		if i < len(runes) && (!upper(i) || upper(i-1) && (upper(i+1) || i+1 == len(runes))) {
			continue
		}
		word := string(runes[start:i])
		if start > 0 && (i-start == 1 || !upper(start+1)) {
			word = strings.ToLower(word)
		}
		spelled, start = append(spelled, word), i
	}
	return strings.Join(spelled, " ")
}
