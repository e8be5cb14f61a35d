package redact_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/betmakers/paddock/internal/redact"
)

const canary = "c4n4ry"

type account struct {
	Name     string `json:"name"`
	Password string `json:"pw,omitempty"`
	DBSecret string
	Hidden   string `json:"-"`
	private  string
	nested
}

type nested struct{ Token string }

type panics struct{}

func (panics) MarshalJSON() ([]byte, error) { panic("no") }

type selfRendered struct{ text string }

func (s selfRendered) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"api_key": s.text, "n": 1 << 60})
}

func TestValueMasks(t *testing.T) {
	cycle := map[string]any{}
	cycle["again"] = cycle
	for name, test := range map[string]struct {
		in   any
		want string // as JSON; empty: only the absence of the canary is checked
	}{
		"header":    {http.Header{"Authorization": {"Bearer " + canary}, "Accept": {"*/*"}}, `{"Accept":["*/*"],"Authorization":"[REDACTED]"}`},
		"metadata":  {metadata.Pairs("cookie", canary, "x", "y"), `{"cookie":"[REDACTED]","x":["y"]}`},
		"map":       {map[string]any{"a": map[string]string{"password": canary}}, `{"a":{"password":"[REDACTED]"}}`},
		"struct":    {account{Name: "n", DBSecret: canary, Hidden: canary, private: canary, nested: nested{canary}}, `{"DBSecret":"[REDACTED]","Token":"[REDACTED]","name":"n"}`},
		"pointers":  {[]*account{{DBSecret: canary}, nil}, `[{"DBSecret":"[REDACTED]","Token":"[REDACTED]","name":""},null]`},
		"marshaler": {selfRendered{canary}, `{"api_key":"[REDACTED]","n":1152921504606846976}`},
		"inside":    {[]any{selfRendered{canary}, 1, "x", nil, 1.5, true}, `[{"api_key":"[REDACTED]","n":1152921504606846976},1,"x",null,1.5,true]`},
		"panics":    {panics{}, `"[unreadable redact_test.panics]"`},
		"no JSON":   {[]any{func() {}, math.NaN(), make(chan int)}, `["[func()]","NaN","[chan int]"]`},
		"errors":    {[]error{errors.New("e")}, `["e"]`},
		"bytes":     {[][]byte{{1}}, `["AQ=="]`},
		"cycle":     {cycle, ""},
		"giant":     {make([]int, 1_000_000), ""},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := json.Marshal(redact.Value(test.in))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(raw), canary) {
				t.Errorf("leaks: %s", raw)
			}
			if test.want != "" && string(raw) != test.want {
				t.Errorf("got  %s\nwant %s", raw, test.want)
			}
			if len(raw) > 200_000 {
				t.Errorf("%d bytes, want a bound", len(raw))
			}
		})
	}
}

func TestValueKeepsErrors(t *testing.T) {
	err := fmt.Errorf("wrapped: %w", errors.New("cause"))
	if got := redact.Value(err); got != any(err) {
		t.Errorf("Value(err) = %v, want the error itself, which log handlers know how to render", got)
	}
}

// punter has one marked field of each shape: email, pins (repeated), card (message), limits (map),
// and unmarked ones that lead to further messages: name, friend, friends, by_name, extra (Any),
// settings (Struct).
func punter(t testing.TB) protoreflect.MessageDescriptor {
	t.Helper()
	field := func(name string, n int32, kind descriptorpb.FieldDescriptorProto_Type, typeName string, repeated, marked bool) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &n, Type: &kind, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
		if repeated {
			f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		}
		if typeName != "" {
			f.TypeName = &typeName
		}
		if marked {
			f.Options = &descriptorpb.FieldOptions{DebugRedact: proto.Bool(true)}
		}
		return f
	}
	const text, message = descriptorpb.FieldDescriptorProto_TYPE_STRING, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
	entry := func(name string, value *descriptorpb.FieldDescriptorProto) *descriptorpb.DescriptorProto {
		return &descriptorpb.DescriptorProto{
			Name: &name, Field: []*descriptorpb.FieldDescriptorProto{field("key", 1, text, "", false, false), value},
			Options: &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)},
		}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String(t.Name() + ".proto"), Package: proto.String("redacttest"), Syntax: proto.String("proto3"),
		Dependency: []string{"google/protobuf/any.proto", "google/protobuf/struct.proto"},
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: proto.String("Punter"),
			Field: []*descriptorpb.FieldDescriptorProto{
				field("name", 1, text, "", false, false),
				field("email", 2, text, "", false, true),
				field("pins", 3, text, "", true, true),
				field("card", 4, message, ".redacttest.Punter", false, true),
				field("limits", 5, message, ".redacttest.Punter.LimitsEntry", true, true),
				field("friend", 6, message, ".redacttest.Punter", false, false),
				field("friends", 7, message, ".redacttest.Punter", true, false),
				field("by_name", 8, message, ".redacttest.Punter.ByNameEntry", true, false),
				field("extra", 9, message, ".google.protobuf.Any", false, false),
				field("settings", 10, message, ".google.protobuf.Struct", false, false),
			},
			NestedType: []*descriptorpb.DescriptorProto{
				entry("LimitsEntry", field("value", 2, text, "", false, false)),
				entry("ByNameEntry", field("value", 2, message, ".redacttest.Punter", false, false)),
			},
		}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return file.Messages().Get(0)
}

// secretive returns a punter whose every marked field holds the canary, down to depth.
func secretive(t testing.TB, d protoreflect.MessageDescriptor, depth int) *dynamicpb.Message {
	t.Helper()
	m := dynamicpb.NewMessage(d)
	field := func(name protoreflect.Name) protoreflect.FieldDescriptor { return d.Fields().ByName(name) }
	m.Set(field("name"), protoreflect.ValueOfString("visible"))
	m.Set(field("email"), protoreflect.ValueOfString(canary))
	m.Mutable(field("pins")).List().Append(protoreflect.ValueOfString(canary))
	m.Mutable(field("limits")).Map().Set(protoreflect.ValueOfString(canary).MapKey(), protoreflect.ValueOfString(canary))
	settings, err := structpb.NewStruct(map[string]any{"password": canary, "colour": "red"})
	if err != nil {
		t.Fatal(err)
	}
	m.Set(field("settings"), protoreflect.ValueOfMessage(settings.ProtoReflect()))
	if depth == 0 {
		return m
	}
	inner := func() protoreflect.Value { return protoreflect.ValueOfMessage(secretive(t, d, depth-1)) }
	m.Set(field("card"), inner())
	m.Set(field("friend"), inner())
	m.Mutable(field("friends")).List().Append(inner())
	m.Mutable(field("by_name")).Map().Set(protoreflect.ValueOfString("k").MapKey(), inner())
	extra, err := anypb.New(secretive(t, d, depth-1))
	if err != nil {
		t.Fatal(err)
	}
	m.Set(field("extra"), protoreflect.ValueOfMessage(extra.ProtoReflect()))
	return m
}

func TestMessagesLoseMarkedFieldsAtAnyDepth(t *testing.T) {
	d := punter(t)
	m := secretive(t, d, 2)
	before := proto.Clone(m)
	for name, v := range map[string]any{
		"message": m, "in a slice": []proto.Message{m}, "in a map": map[string]any{"m": m},
		"in a struct": struct{ M proto.Message }{m},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := json.Marshal(redact.Value(v))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(raw), canary) {
				t.Errorf("leaks: %s", raw)
			}
			for _, want := range []string{`"name":"visible"`, `"email":"[REDACTED]"`, `"password":"[REDACTED]"`, `"colour":"red"`, `"friends":[{`, `"byName":{"k":{`} {
				if !strings.Contains(string(raw), want) {
					t.Errorf("lacks %s: %s", want, raw)
				}
			}
		})
	}
	if !proto.Equal(before, m) {
		t.Error("the message itself was changed")
	}
}

func TestAnyOfALinkedTypeIsOpened(t *testing.T) {
	d := punter(t)
	if _, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName()); err != nil { // not yet by a run before this
		if err := protoregistry.GlobalTypes.RegisterMessage(dynamicpb.NewMessageType(d)); err != nil {
			t.Fatal(err)
		}
	}
	packed, err := anypb.New(secretive(t, d, 0))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(redact.Value(packed))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(raw); strings.Contains(got, canary) || !strings.Contains(got, "visible") {
		t.Errorf("got %s, want the plain fields and no canary", got)
	}
}

// FuzzCanary builds a value from the input, with the canary under secret names only, and looks for
// it in the result.
func FuzzCanary(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), "Authorization")
	f.Add([]byte{7, 3, 3, 1, 0, 4, 4, 2}, "x-api-key")
	f.Fuzz(func(t *testing.T, shape []byte, name string) {
		if !redact.SecretName(name) || strings.Contains(name, canary) || len(shape) > 64 {
			return
		}
		raw, err := json.Marshal(redact.Value(build(shape, name)))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), canary) {
			t.Errorf("leaks: %s", raw)
		}
	})
}

func build(shape []byte, name string) any {
	if len(shape) == 0 {
		return map[string]any{name: canary}
	}
	inner := build(shape[1:], name)
	switch shape[0] % 8 {
	case 0:
		return map[string]any{"k": inner}
	case 1:
		return []any{inner, "x"}
	case 2:
		return &inner
	case 3:
		return struct{ V any }{inner}
	case 4:
		return http.Header{name: {canary}}
	case 5:
		return map[string]any{name: inner, "z": inner}
	case 6:
		return selfRendered{canary}
	default:
		return [1]any{inner}
	}
}
