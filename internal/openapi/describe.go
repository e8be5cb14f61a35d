package openapi

import (
	"strings"
	"unicode"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/betmakers/paddock/internal/protocomment"
)

// Values of google.api.FieldBehavior.
const (
	fieldRequired   = 2
	fieldOutputOnly = 3
	fieldInputOnly  = 4
	fieldImmutable  = 5
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

// comment returns the comment of a declaration, empty where the binary has none.
func comment(d protoreflect.Descriptor) string { return protocomment.Of(d) }

// describe returns a field's comment, with what neither its name nor its schema says.
func describe(fd protoreflect.FieldDescriptor) string {
	says := comment(fd)
	if m := annotation(fd, "openapiv2_field"); says == "" && m != nil {
		says = text(m, "description")
	}
	if behaves(fd, fieldImmutable) {
		says += "\n\nIt is set once, and does not change."
	}
	if oneof := fd.ContainingOneof(); oneof != nil && !oneof.IsSynthetic() {
		says += "\n\nAt most one of " + strings.Join(members(oneof, nil), ", ") + " is set."
	}
	return strings.TrimSpace(says)
}

// describeEnum returns the comment of an enum, with a list of what its values mean, where they say
// so.
func describeEnum(ed protoreflect.EnumDescriptor) string {
	var list []string
	for i := range ed.Values().Len() {
		value := ed.Values().Get(i)
		meaning := strings.Join(strings.Fields(comment(value)), " ")
		if deprecated(value) {
			meaning = strings.TrimSpace("Deprecated. " + meaning)
		}
		if meaning != "" {
			list = append(list, "- `"+string(value.Name())+"`: "+meaning)
		}
	}
	return strings.TrimSpace(comment(ed) + "\n\n" + strings.Join(list, "\n"))
}

// summary is the first sentence of a method's comment, or its name in words: PlaceBet is "Place
// bet".
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

// words spells a name in camel case as words; runs of capitals stay: GetURLStats is "Get URL
// stats".
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
