package redact

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
)

// Limits of what Value looks into, so that a cycle or a giant costs little.
const (
	maxDepth = 24
	maxNodes = 10_000
)

// Value returns v ready to be rendered as JSON, with everything secret in it masked: values under a
// secret name in maps (http.Header and metadata.MD among them) and structs, and debug_redact fields
// of protobuf messages. Errors with a readable text, and values without parts, come back as they
// are. v itself is never changed. What cannot be read, because one of its methods fails or panics,
// becomes a text that says so; it costs that part of v alone. A method that hangs or recurses
// without end cannot be helped.
func Value(v any) (out any) {
	defer func() {
		if recover() != nil {
			out = unreadable(v)
		}
	}()
	switch v := v.(type) {
	case nil, bool, string, int, int64, uint64, float64, []byte:
		return v
	case json.Marshaler, proto.Message:
	case error:
		return readable(v)
	}
	return (&walker{left: maxNodes}).walk(reflect.ValueOf(v), maxDepth)
}

// readable returns err, unless its text cannot be had, or is no text that every log handler takes.
func readable(err error) (out any) {
	defer func() {
		if recover() != nil {
			out = unreadable(err)
			if v := reflect.ValueOf(err); v.Kind() == reflect.Pointer && v.IsNil() {
				out = nil
			}
		}
	}()
	if text := Valid(Error(err)); text != err.Error() {
		return text
	}
	return err
}

// Valid returns s with what is no UTF-8 in it replaced: a collector refuses a whole batch for one
// such text.
func Valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func unreadable(v any) string { return fmt.Sprintf("[unreadable %T]", v) }

// walker builds a tree of maps, slices and plain values; left is the number of nodes it may still
// visit.
type walker struct{ left int }

func (w *walker) walk(v reflect.Value, depth int) any {
	if w.left--; w.left < 0 || depth < 0 {
		return "[cut]"
	}
	if out, ok := w.byMethod(v, depth); ok {
		return out
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return w.walk(v.Elem(), depth-1)
	case reflect.Map:
		return w.mapping(v, depth)
	case reflect.Struct:
		return w.structure(v, depth)
	case reflect.Slice, reflect.Array:
		return w.list(v, depth)
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return "[" + v.Type().String() + "]"
	case reflect.Invalid:
		return nil
	}
	return plain(v)
}

// plain returns a scalar in its basic type: a named one is beyond what some log bridges know, and
// JSON has no NaN.
func plain(v reflect.Value) any {
	switch {
	case v.Type() == reflect.TypeFor[json.Number]():
		return number(json.Number(v.String()))
	case v.Kind() == reflect.String:
		return Valid(v.String())
	case v.Kind() == reflect.Bool:
		return v.Bool()
	case v.CanInt():
		return v.Int()
	case v.CanUint():
		return v.Uint()
	case v.CanFloat() && !math.IsNaN(v.Float()) && !math.IsInf(v.Float(), 0):
		return v.Float()
	}
	return fmt.Sprint(v)
}

// number returns n in a type that every sink knows, without losing a digit: as text where no number
// has all of them.
func number(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return i
	}
	if u, err := strconv.ParseUint(n.String(), 10, 64); err == nil {
		return u
	}
	if f, err := n.Float64(); err == nil && f != 0 && digits(n.String()) <= exactDigits {
		return f
	}
	return Valid(n.String())
}

// exactDigits is how many digits any float64 keeps.
const exactDigits = 15

// digits counts those of a number that tell its value and not its size.
func digits(n string) (count int) {
	for _, c := range strings.TrimLeft(n, "-0.") {
		if c == 'e' || c == 'E' {
			break
		}
		if '0' <= c && c <= '9' {
			count++
		}
	}
	return count
}

// byMethod renders what knows how to render itself.
func (w *walker) byMethod(v reflect.Value, depth int) (any, bool) {
	if !v.IsValid() || v.Kind() == reflect.Interface || (v.Kind() == reflect.Pointer && v.IsNil()) {
		return nil, false
	}
	if v.CanAddr() && v.Kind() != reflect.Pointer {
		if out, ok := w.byMethod(v.Addr(), depth); ok {
			return out, true
		}
	}
	x := v.Interface()
	switch x.(type) {
	case proto.Message, json.Marshaler, encoding.TextMarshaler, error, *url.URL:
		return w.render(x, depth), true
	}
	return nil, false
}

// render calls the method by which x renders itself. What it panics with costs x, and not what x is
// a part of.
func (w *walker) render(x any, depth int) (out any) {
	defer func() {
		if recover() != nil {
			out = unreadable(x)
		}
	}()
	switch x := x.(type) {
	case proto.Message:
		return w.message(x, depth)
	case time.Time:
		return Time(x)
	case *time.Time:
		return Time(*x)
	case *url.URL:
		return Valid(Values(x.String()))
	case json.Marshaler:
		raw, err := x.MarshalJSON()
		if err != nil {
			return unreadable(x)
		}
		return w.json(raw, depth)
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		if err != nil {
			return unreadable(x)
		}
		return Valid(string(text))
	case error:
		return Valid(Error(x))
	}
	return unreadable(x)
}

// Time returns t as text, in the form of RFC 3339 where that has one: its years have four digits.
func Time(t time.Time) string { return t.Format(time.RFC3339Nano) }

// json decodes and walks a document; maps in it are masked by name like any other.
func (w *walker) json(raw []byte, depth int) any {
	var tree any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return "[unreadable JSON]"
	}
	return w.walk(reflect.ValueOf(tree), depth-1)
}

func (w *walker) mapping(v reflect.Value, depth int) any {
	if v.IsNil() {
		return nil
	}
	out := make(map[string]any, min(v.Len(), maxNodes))
	for k, e := range v.Seq2() {
		if w.left < 0 {
			break
		}
		name := Valid(fmt.Sprint(k.Interface()))
		out[name] = w.named(name, e, depth)
	}
	return out
}

func (w *walker) named(name string, v reflect.Value, depth int) any {
	if SecretName(name) {
		return Mask
	}
	return w.walk(v, depth-1)
}

func (w *walker) list(v reflect.Value, depth int) any {
	if v.Kind() == reflect.Slice {
		if v.IsNil() {
			return nil
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Bytes()
		}
	}
	out := make([]any, 0, min(v.Len(), maxNodes))
	for i := range v.Len() {
		if w.left < 0 {
			break
		}
		out = append(out, w.walk(v.Index(i), depth-1))
	}
	return out
}

// structure follows the rules of encoding/json for names and omitted fields, near enough for a log
// line.
func (w *walker) structure(v reflect.Value, depth int) any {
	out := make(map[string]any, v.NumField())
	w.fields(out, v, depth)
	return out
}

func (w *walker) fields(out map[string]any, v reflect.Value, depth int) {
	for f, e := range v.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" && options == "", !f.IsExported() && !f.Anonymous,
			strings.Contains(options, "omit") && e.IsZero():
			continue
		case f.Anonymous && name == "":
			if e.Kind() == reflect.Pointer && e.Type().Elem().Kind() == reflect.Struct && f.IsExported() {
				e = e.Elem()
			}
			if e.Kind() == reflect.Struct && depth > 0 {
				w.embedded(out, f.Name, e, depth)
				continue
			}
		}
		if !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if f.Tag.Get("secret") == "true" { // as package settings has it
			out[name] = Mask
			continue
		}
		out[name] = w.named(name, e, depth)
	}
}

// embedded merges the fields of an embedded struct, unless it renders itself.
func (w *walker) embedded(out map[string]any, name string, v reflect.Value, depth int) {
	if v.CanInterface() {
		if rendered, ok := w.byMethod(v, depth); ok {
			out[name] = rendered
			return
		}
	}
	w.fields(out, v, depth-1)
}
