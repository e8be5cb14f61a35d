package redact

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Texts are the secrets of one call, by which they are found again in plain text: in the text of a panic or an error, in
// a log line that has a message printed by fmt. The zero value has none, and so has nil. Methods may be called concurrently.
type Texts struct {
	mu    sync.RWMutex
	known []string // the longest first, so that none is left with the end of another
}

const (
	// shortestText is the length from which a secret is looked for: less would be found in any text.
	shortestText = 4
	// mostTexts bounds what a long stream can make a call remember; the shortest are forgotten.
	mostTexts = 256
)

// TextsKey is the key under which the context of a call has its *Texts.
type TextsKey struct{}

// TextsOf returns the secrets of the call of ctx, nil if there are none.
func TextsOf(ctx context.Context) *Texts {
	t, _ := ctx.Value(TextsKey{}).(*Texts)
	return t
}

// AddMessage remembers the fields of m that are marked with debug_redact or have a secret name.
func (t *Texts) AddMessage(m proto.Message) {
	var found []string
	collect(m.ProtoReflect(), false, maxDepth, &found)
	t.Add(found...)
}

// Add remembers secrets. Those that are too short to be told from other text are passed over.
func (t *Texts) Add(secrets ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range secrets {
		for _, form := range forms(s) {
			if len(form) >= shortestText && !slices.Contains(t.known, form) {
				t.known = append(t.known, form)
			}
		}
	}
	slices.SortStableFunc(t.known, func(a, b string) int { return len(b) - len(a) })
	t.known = t.known[:min(len(t.known), mostTexts)]
}

// forms are the ways in which a text is usually printed.
func forms(s string) []string {
	all := []string{s}
	if quoted := strconv.Quote(s); len(quoted) != len(s)+2 {
		all = append(all, quoted[1:len(quoted)-1])
	}
	if raw, err := json.Marshal(s); err == nil && len(raw) != len(s)+2 {
		all = append(all, string(raw[1:len(raw)-1]))
	}
	return all
}

// Hide returns text with every secret in it masked.
func (t *Texts) Hide(text string) string {
	if t == nil || text == "" {
		return text
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, secret := range t.known {
		text = strings.ReplaceAll(text, secret, Mask)
	}
	return text
}

// HideIn is Hide for what Value returns: the texts in maps and slices, and those of errors.
func (t *Texts) HideIn(v any) any {
	if t == nil {
		return v
	}
	switch v := v.(type) {
	case string:
		return t.Hide(v)
	case error:
		if text := v.Error(); t.Hide(text) != text {
			return t.Hide(text)
		}
		return v
	case []any:
		for i := range v {
			v[i] = t.HideIn(v[i])
		}
		return v
	case map[string]any:
		for key, element := range v {
			v[key] = t.HideIn(element)
		}
		return v
	}
	return v
}

// HideInMessage is Hide for every text in m, those in an Any included.
func (t *Texts) HideInMessage(m proto.Message) { t.hideIn(m.ProtoReflect(), maxDepth) }

func (t *Texts) hideIn(m protoreflect.Message, depth int) {
	if t == nil || depth == 0 {
		return
	}
	if m.Descriptor().FullName() == "google.protobuf.Any" {
		t.hideInAny(m, depth)
		return
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap():
			v.Map().Range(func(k protoreflect.MapKey, e protoreflect.Value) bool {
				if fd.MapValue().Kind() == protoreflect.StringKind {
					v.Map().Set(k, protoreflect.ValueOfString(t.Hide(e.String())))
				} else if fd.MapValue().Message() != nil {
					t.hideIn(e.Message(), depth-1)
				}
				return true
			})
		case fd.IsList():
			for i := range v.List().Len() {
				if fd.Kind() == protoreflect.StringKind {
					v.List().Set(i, protoreflect.ValueOfString(t.Hide(v.List().Get(i).String())))
				} else if fd.Message() != nil {
					t.hideIn(v.List().Get(i).Message(), depth-1)
				}
			}
		case fd.Kind() == protoreflect.StringKind:
			m.Set(fd, protoreflect.ValueOfString(t.Hide(v.String())))
		case fd.Message() != nil:
			t.hideIn(v.Message(), depth-1)
		}
		return true
	})
}

// hideInAny leaves alone what it cannot read: the type is not linked into the program.
func (t *Texts) hideInAny(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	inner, err := unpack(m.Get(fields.ByNumber(1)).String(), m.Get(fields.ByNumber(2)).Bytes())
	if err != nil {
		return
	}
	t.hideIn(inner, depth-1)
	if raw, err := (proto.MarshalOptions{AllowPartial: true}).Marshal(inner.Interface()); err == nil {
		m.Set(fields.ByNumber(2), protoreflect.ValueOfBytes(raw))
	}
}

// collect appends the texts of what is secret in m: everything if all of it is.
func collect(m protoreflect.Message, all bool, depth int, found *[]string) {
	if depth == 0 || !m.IsValid() {
		return
	}
	if m.Descriptor().FullName() == "google.protobuf.Any" {
		collectAny(m, all, depth, found)
		return
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		secret := all || concealed(fd)
		each(fd, v, func(kind protoreflect.Kind, v protoreflect.Value) {
			switch {
			case kind == protoreflect.MessageKind || kind == protoreflect.GroupKind:
				collect(v.Message(), secret, depth-1, found)
			case secret:
				*found = append(*found, textsOf(kind, v)...)
			}
		})
		return true
	})
}

// collectAny opens an Any whose type is linked into the program.
func collectAny(m protoreflect.Message, all bool, depth int, found *[]string) {
	fields := m.Descriptor().Fields()
	inner, err := unpack(m.Get(fields.ByNumber(1)).String(), m.Get(fields.ByNumber(2)).Bytes())
	if err == nil {
		collect(inner, all, depth-1, found)
	}
}

// each calls use for every value of a field: itself, the elements of a list, the keys and values of a map.
func each(fd protoreflect.FieldDescriptor, v protoreflect.Value, use func(protoreflect.Kind, protoreflect.Value)) {
	switch {
	case fd.IsMap():
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			use(fd.MapKey().Kind(), k.Value())
			use(fd.MapValue().Kind(), v)
			return true
		})
	case fd.IsList():
		for i := range v.List().Len() {
			use(fd.Kind(), v.List().Get(i))
		}
	default:
		use(fd.Kind(), v)
	}
}

// textsOf returns how a value is printed. An enum or a bool is nothing that could be told from other text.
func textsOf(kind protoreflect.Kind, v protoreflect.Value) []string {
	switch kind {
	case protoreflect.StringKind:
		return []string{v.String()}
	case protoreflect.BytesKind:
		return []string{string(v.Bytes()), base64.StdEncoding.EncodeToString(v.Bytes())}
	case protoreflect.BoolKind, protoreflect.EnumKind:
		return nil
	}
	return []string{v.String()}
}

// HasMarks reports whether messages of this type can have fields in them that AddMessage would remember.
func HasMarks(d protoreflect.MessageDescriptor) bool {
	return hasMarks(d, map[protoreflect.FullName]bool{})
}

// concealed reports whether a field is secret by its mark, or by its name.
func concealed(fd protoreflect.FieldDescriptor) bool {
	return marked(fd) || SecretName(string(fd.Name()))
}

func hasMarks(d protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) bool {
	if seen[d.FullName()] {
		return false
	}
	seen[d.FullName()] = true
	if d.FullName() == "google.protobuf.Any" {
		return true
	}
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		if concealed(fd) {
			return true
		}
		if inner := fd.Message(); inner != nil && hasMarks(inner, seen) {
			return true
		}
	}
	return false
}
