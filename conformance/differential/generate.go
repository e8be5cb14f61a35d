package differential

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	shapesv1 "github.com/betmakers/paddock/conformance/proto/shapes/v1"
)

// generator makes requests. The same seed makes the same requests.
type generator struct {
	*rand.Rand
	bindings []binding
}

// binding is a route of a method.
type binding struct {
	method       protoreflect.MethodDescriptor
	verb         string
	path, body   string
	responseBody string
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 1)), bindings: allBindings()}
}

// allBindings returns the routes of the services that the pair serves.
func allBindings() []binding {
	var bindings []binding
	services := shapesv1.File_shapes_v1_shapes_proto.Services()
	for _, p := range parts() {
		name := protoreflect.FullName(p.desc.ServiceName)
		methods := services.ByName(name.Name()).Methods()
		for i := range methods.Len() {
			rule, ok := proto.GetExtension(methods.Get(i).Options(), annotations.E_Http).(*annotations.HttpRule)
			if !ok || rule == nil {
				continue
			}
			for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
				verb, path := route(r)
				bindings = append(bindings, binding{methods.Get(i), verb, path, r.GetBody(), r.GetResponseBody()})
			}
		}
	}
	return bindings
}

func route(rule *annotations.HttpRule) (verb, path string) {
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return "GET", p.Get
	case *annotations.HttpRule_Post:
		return "POST", p.Post
	case *annotations.HttpRule_Put:
		return "PUT", p.Put
	case *annotations.HttpRule_Patch:
		return "PATCH", p.Patch
	case *annotations.HttpRule_Delete:
		return "DELETE", p.Delete
	default:
		return rule.GetCustom().GetKind(), rule.GetCustom().GetPath()
	}
}

// chance is true once in n times.
func (g *generator) chance(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

// request makes one request of a random route. Most can be served; the others are near to one that
// can.
func (g *generator) request() request {
	b := pick(g, g.bindings)
	r := request{method: b.verb, target: g.path(b)}
	if query := g.query(b); query != "" {
		r.target += "?" + query
	}
	if b.body != "" {
		r.body = g.body(b)
		r.chunked = g.chance(4)
	}
	if g.chance(25) {
		r.method = pick(g, []string{"GET", "POST", "PUT", "PATCH", "DELETE"})
	}
	if g.chance(8) {
		h := pick(g, [][2]string{{"TE", "trailers"}, {"Accept", "application/json"}, {"Accept", "*/*"}, {"Grpc-Metadata-X-Own", "a"}, {"Content-Type", "application/json"}, {"Content-Type", "text/plain"}, {"Accept-Language", "de"}, {"X-Own", "a"}})
		r = r.with(h[0], h[1])
	}
	return r
}

var variable = regexp.MustCompile(`\{([^}=]+)(?:=([^}]+))?\}|\*\*|\*`)

// path fills the variables of a template.
func (g *generator) path(b binding) string {
	path := variable.ReplaceAllStringFunc(b.path, func(found string) string {
		parts := variable.FindStringSubmatch(found)
		name, pattern := parts[1], parts[2]
		switch {
		case name != "" && pattern == "":
			return g.segment(fieldOf(b.method.Input(), name))
		case name != "":
			return variable.ReplaceAllStringFunc(pattern, g.wild)
		default:
			return g.wild(found)
		}
	})
	switch g.IntN(60) {
	case 0:
		return path + "/"
	case 1:
		return path + ":" + pick(g, []string{"show", "archive", "list", "x", ""})
	case 2:
		at := g.IntN(len(path))
		return path[:at] + pick(g, hostile) + path[at:]
	case 3:
		return path[:g.IntN(len(path))+1]
	default:
		return path
	}
}

// wild is what a * or ** of a template stands for.
func (g *generator) wild(pattern string) string {
	if pattern == "*" {
		return g.segment(nil)
	}
	segments := make([]string, g.IntN(4))
	for i := range segments {
		segments[i] = g.segment(nil)
	}
	return strings.Join(segments, "/")
}

func (g *generator) segment(field protoreflect.FieldDescriptor) string {
	if g.chance(4) {
		return pick(g, hostile)
	}
	if field == nil {
		return pick(g, words)
	}
	return url.PathEscape(g.text(field))
}

var (
	words   = []string{"a", "b", "shelves", "books", "literal", "x-1", "x_y", "7", "true", "COLOR_RED"}
	hostile = []string{"%2F", "a%2Fb", "%252F", "%20", "+", "%2B", ":", "a:b", "%3A", "%3Ashow", "%25", "%", "%zz", "%E2%82%AC", "€", "%ff", "%00", "..", ".", "%2e%2e", "", "!$&'()*,;=@", "~", "%7E", "[x]", "{x}", "|", "a b", "\\", "%5C", "^", "#", "%23", "a=b", "@", "*", "**", "9999999999999999999999"}
)

// fieldOf follows a path of names, and returns nil if it leads nowhere.
func fieldOf(message protoreflect.MessageDescriptor, path string) protoreflect.FieldDescriptor {
	var field protoreflect.FieldDescriptor
	for name := range strings.SplitSeq(path, ".") {
		if field != nil {
			message = field.Message()
		}
		if message == nil {
			return nil
		}
		if field = message.Fields().ByName(protoreflect.Name(name)); field == nil {
			return nil
		}
	}
	return field
}

// query makes parameters, mostly of fields that there are.
func (g *generator) query(b binding) string {
	if b.body == "*" && !g.chance(10) {
		return ""
	}
	var parameters []string
	for range g.IntN(4) {
		name, field := g.fieldPath(b.method.Input())
		var value string
		switch {
		case g.chance(8):
			value = pick(g, hostile)
		case field == nil || field.Message() != nil && !isWellKnown(field.Message()):
			value = pick(g, words)
		default:
			value = url.QueryEscape(g.text(field))
		}
		if field != nil && field.IsMap() {
			value = url.QueryEscape(g.text(field.MapValue()))
			name += "[" + url.QueryEscape(g.text(field.MapKey())) + "]"
		}
		parameter := name + "=" + value
		parameters = append(parameters, parameter)
		if g.chance(10) {
			parameters = append(parameters, parameter)
		}
	}
	return strings.Join(parameters, "&")
}

// fieldPath returns the name of a field, by proto or by JSON, of the message or of one in it.
func (g *generator) fieldPath(message protoreflect.MessageDescriptor) (string, protoreflect.FieldDescriptor) {
	if message.Fields().Len() == 0 || g.chance(15) {
		return pick(g, []string{"nosuch", "x.y", "", "text.x", "labels[x]"}), nil
	}
	field := message.Fields().Get(g.IntN(message.Fields().Len()))
	name := string(field.Name())
	if g.chance(4) {
		name = field.JSONName()
	}
	if field.Message() != nil && !field.IsMap() && !field.IsList() && !isWellKnown(field.Message()) && !g.chance(5) {
		rest, inner := g.fieldPath(field.Message())
		return name + "." + rest, inner
	}
	return name, field
}

func isWellKnown(message protoreflect.MessageDescriptor) bool {
	return strings.HasPrefix(string(message.FullName()), "google.")
}

// text is a value of field as a path or a query has it, and sometimes one that is none.
func (g *generator) text(field protoreflect.FieldDescriptor) string {
	if strings.HasPrefix(string(field.FullName()), "shapes.v1.Script.") && field.Kind() == protoreflect.Int32Kind {
		return fmt.Sprint(g.IntN(18))
	}
	if strings.HasSuffix(string(field.ContainingMessage().Name()), "railerEntry") || field.ContainingMessage().Name() == "HeaderEntry" {
		return "x-" + pick(g, words[:3])
	}
	if g.chance(12) {
		return pick(g, []string{"", "x", "null", "1.5", "-1", "99999999999999999999", "NaN", "true", " ", "\u00e9", "\xff"})
	}
	if message := field.Message(); message != nil {
		switch message.Name() {
		case "Timestamp":
			return "2026-11-28T12:00:00Z"
		case "Duration":
			return fmt.Sprintf("%ds", g.IntN(100))
		case "BoolValue":
			return "true"
		case "FieldMask":
			return pick(g, []string{"text", "text,child.name", "f_int32"})
		default:
			return fmt.Sprint(g.IntN(100))
		}
	}
	if enum := field.Enum(); enum != nil {
		value := enum.Values().Get(g.IntN(enum.Values().Len()))
		if g.chance(3) {
			return fmt.Sprint(value.Number())
		}
		return string(value.Name())
	}
	switch field.Kind() {
	case protoreflect.StringKind:
		return pick(g, words)
	case protoreflect.BytesKind:
		return pick(g, []string{"YWJj", "YQ==", "YQ", ""})
	case protoreflect.BoolKind:
		return pick(g, []string{"true", "false"})
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return fmt.Sprint(g.NormFloat64())
	default:
		return fmt.Sprint(g.IntN(1000))
	}
}

// body makes the JSON of a body, one value or for a stream some, and sometimes breaks it.
func (g *generator) body(b binding) string {
	count := 1
	if b.method.IsStreamingClient() {
		count = g.IntN(4)
	}
	values := make([]string, count)
	for i := range values {
		values[i] = g.value(b)
		if g.chance(4) {
			values[i] = g.broken(values[i])
		}
	}
	return strings.Join(values, "\n")
}

func (g *generator) value(b binding) string {
	message := dynamicpb.NewMessage(b.method.Input())
	g.fill(message, 3)
	options := protojson.MarshalOptions{UseProtoNames: g.chance(4), UseEnumNumbers: g.chance(4), EmitUnpopulated: g.chance(8), AllowPartial: true}
	whole, err := options.Marshal(message)
	if err != nil {
		return "{}"
	}
	if b.body == "*" {
		return string(whole)
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(whole, &fields) != nil {
		return "{}"
	}
	field := fieldOf(b.method.Input(), b.body)
	for _, name := range []string{field.JSONName(), string(field.Name())} {
		if value, ok := fields[name]; ok {
			return string(value)
		}
	}
	return pick(g, []string{"{}", "null", "[]", `""`, "0", ""})
}

// fill sets some fields of message, and of those in it to the depth.
func (g *generator) fill(message protoreflect.Message, depth int) {
	fields := message.Descriptor().Fields()
	if fields.Len() == 0 {
		return
	}
	for range 1 + g.IntN(4) {
		field := fields.Get(g.IntN(fields.Len()))
		if field.Message() != nil && !field.IsMap() && depth == 0 {
			continue
		}
		switch {
		case field.IsMap():
			value := message.Mutable(field).Map()
			switch {
			case message.Descriptor().Name() == "Script": // headers and trailers
				value.Set(protoreflect.ValueOfString("x-"+pick(g, words[:3])).MapKey(), protoreflect.ValueOfString(pick(g, words)))
			case field.MapValue().Message() == nil:
				value.Set(g.scalar(field.MapKey()).MapKey(), g.scalar(field.MapValue()))
			}
		case field.IsList():
			list := message.Mutable(field).List()
			for range g.IntN(3) {
				if field.Message() == nil {
					list.Append(g.scalar(field))
					continue
				}
				g.fillMessage(list.AppendMutable().Message(), depth-1)
			}
		case field.Message() != nil:
			g.fillMessage(message.Mutable(field).Message(), depth-1)
		default:
			message.Set(field, g.scalar(field))
		}
	}
}

// fillMessage fills message so that it has a JSON form.
func (g *generator) fillMessage(message protoreflect.Message, depth int) {
	name := message.Descriptor().FullName()
	number := message.Descriptor().Fields().ByNumber(1)
	switch name {
	case "google.protobuf.Timestamp", "google.protobuf.Duration":
		message.Set(number, protoreflect.ValueOfInt64(int64(g.IntN(1_000_000_000))))
	case "google.protobuf.FieldMask":
		message.Mutable(number).List().Append(protoreflect.ValueOfString(pick(g, []string{"text", "child.name"})))
	case "google.protobuf.Value":
		message.Set(message.Descriptor().Fields().ByName("string_value"), protoreflect.ValueOfString(pick(g, words)))
	case "google.protobuf.Struct", "google.protobuf.ListValue", "google.protobuf.Any":
	default:
		g.fill(message, max(depth, 0))
	}
}

// scalar is a value of field.
func (g *generator) scalar(field protoreflect.FieldDescriptor) protoreflect.Value {
	switch field.FullName() {
	case "shapes.v1.Script.code":
		return protoreflect.ValueOfInt32(int32(g.IntN(18)))
	case "shapes.v1.Script.answers":
		return protoreflect.ValueOfInt32(int32(g.IntN(4)))
	}
	switch field.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(g.chance(2))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(g.IntN(4)))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(g.Uint32()))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(g.Uint32())
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(g.Int64())
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(g.Uint64())
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(g.NormFloat64()))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(g.NormFloat64())
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(pick(g, words)))
	default:
		return protoreflect.ValueOfString(pick(g, []string{"", "a", "\u00e9\U0001f600", "<&>\"\\\n", "longer words of a text"}))
	}
}

// broken changes JSON in a place or two.
func (g *generator) broken(value string) string {
	if value == "" {
		return pick(g, []string{" ", "x", "{"})
	}
	at := g.IntN(len(value))
	switch g.IntN(8) {
	case 0:
		return value[:at]
	case 1:
		return value[:at] + pick(g, []string{`"`, "{", "}", "[", ",", ":", "null", "1", " ", "\n", "\\", "\x00", "\xff"}) + value[at:]
	case 2:
		return value[:at] + value[at+1:]
	case 3:
		return strings.Replace(value, ":", ":null,\"nosuch\":", 1)
	case 4:
		return value + pick(g, []string{" ", "\n", "x", value, "}", ",", "\x00"})
	case 5:
		return pick(g, []string{" ", "\n", "\ufeff", "[", "x"}) + value
	case 6:
		return strings.Replace(value, `"`, pick(g, []string{"'", `\"`, ""}), 1+g.IntN(2))
	default:
		return regexp.MustCompile(`:("[^"]*"|[0-9.]+|true|false)`).ReplaceAllStringFunc(value, func(found string) string {
			if g.chance(3) {
				return ":" + pick(g, []string{"null", "[]", "{}", `""`, `"x"`, "1.5", "-1", "1e30", "true", `"COLOR_BLUE"`})
			}
			return found
		})
	}
}

// requests makes count requests.
func (g *generator) requests(count int) []request {
	return slices.Collect(func(yield func(request) bool) {
		for range count {
			if !yield(g.request()) {
				return
			}
		}
	})
}
