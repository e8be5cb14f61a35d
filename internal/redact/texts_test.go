package redact_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/betmakers/paddock/internal/redact"
)

func textsOf(secrets ...string) *redact.Texts {
	t := new(redact.Texts)
	t.Add(secrets...)
	return t
}

func TestHide(t *testing.T) {
	for _, test := range []struct {
		secrets    []string
		text, want string
	}{
		{nil, "nothing", "nothing"},
		{[]string{"hunter2"}, "", ""},
		{[]string{"hunter2"}, "is hunter2, hunter2!", "is [REDACTED], [REDACTED]!"},
		{[]string{"hunt", "hunter2"}, "hunter2", "[REDACTED]"}, // not [REDACTED]er2
		{[]string{`say "hi"`}, fmt.Sprintf("%q and %s", `say "hi"`, `say "hi"`), `"[REDACTED]" and [REDACTED]`},
		{[]string{"a<b>c&d"}, `{"x":"a\u003cb\u003ec\u0026d"}`, `{"x":"[REDACTED]"}`},
		{[]string{"two\nlines"}, `two\nlines`, "[REDACTED]"},
		{[]string{"abc"}, "abc", "abc"}, // too short
		{[]string{"äöüß"}, "x äöüß", "x [REDACTED]"},
	} {
		if got := textsOf(test.secrets...).Hide(test.text); got != test.want {
			t.Errorf("%q in %q: got %q, want %q", test.secrets, test.text, got, test.want)
		}
	}
}

func TestHideWithoutSecrets(t *testing.T) {
	var none *redact.Texts
	if got := none.Hide("text"); got != "text" {
		t.Errorf("got %q", got)
	}
	if got := none.HideIn([]any{"text"}); !reflect.DeepEqual(got, []any{"text"}) {
		t.Errorf("got %v", got)
	}
	if got := redact.TextsOf(t.Context()); got != nil {
		t.Errorf("a context without a call has %v", got)
	}
}

func TestTextsOfAContext(t *testing.T) {
	texts := textsOf("hunter2")
	if got := redact.TextsOf(context.WithValue(t.Context(), redact.TextsKey{}, texts)); got != texts {
		t.Errorf("got %v", got)
	}
}

func TestHideIn(t *testing.T) {
	texts := textsOf("hunter2")
	cause := errors.New("harmless")
	for _, test := range []struct{ in, want any }{
		{"hunter2", "[REDACTED]"},
		{[]any{"hunter2", 1, map[string]any{"a": "x hunter2"}}, []any{"[REDACTED]", 1, map[string]any{"a": "x [REDACTED]"}}},
		{errors.New("of hunter2"), "of [REDACTED]"},
		{cause, cause},
		{7, 7},
		{nil, nil},
	} {
		if got := texts.HideIn(test.in); !reflect.DeepEqual(got, test.want) {
			t.Errorf("got %v, want %v", got, test.want)
		}
	}
}

func TestHideInMessage(t *testing.T) {
	texts := textsOf("hunter2")
	inner, err := structpb.NewStruct(map[string]any{"a": "hunter2", "list": []any{"x hunter2"}, "map": map[string]any{"b": "hunter2"}})
	if err != nil {
		t.Fatal(err)
	}
	packed, err := anypb.New(inner)
	if err != nil {
		t.Fatal(err)
	}
	unknown := &anypb.Any{TypeUrl: "type.googleapis.com/nobody.knows", Value: []byte("hunter2")}
	for _, m := range []proto.Message{inner, packed, wrapperspb.String("hunter2")} {
		texts.HideInMessage(m)
		if raw, err := proto.Marshal(m); err != nil || strings.Contains(string(raw), "hunter2") || !strings.Contains(string(raw), redact.Mask) {
			t.Errorf("%T: got %q, %v", m, raw, err)
		}
	}
	texts.HideInMessage(unknown) // what cannot be read is left
	if string(unknown.GetValue()) != "hunter2" {
		t.Errorf("got %q", unknown.GetValue())
	}
}

// What a long stream can make a call remember is bounded.
func TestTextsAreBounded(t *testing.T) {
	texts := new(redact.Texts)
	for i := range 10_000 {
		texts.Add(fmt.Sprintf("secret-%06d", i))
	}
	hidden := 0
	for i := range 10_000 {
		if secret := fmt.Sprintf("secret-%06d", i); texts.Hide(secret) != secret {
			hidden++
		}
	}
	if hidden == 0 || hidden > 1000 {
		t.Errorf("%d secrets are remembered", hidden)
	}
}

func TestTextsConcurrently(t *testing.T) {
	texts := new(redact.Texts)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 100 {
				texts.Add(fmt.Sprintf("secret-%d", i))
				texts.Hide("a secret-1 and more")
				texts.HideIn(map[string]any{"a": "secret-2"})
			}
		})
	}
	all.Wait()
}

func TestMarkedFieldsAreRemembered(t *testing.T) {
	m := secretive(t, punter(t), 3)
	texts := new(redact.Texts)
	texts.AddMessage(m)
	if text := fmt.Sprintf("%v", m); !strings.Contains(text, canary) || strings.Contains(texts.Hide(text), canary) {
		t.Errorf("%s is hidden as %s", text, texts.Hide(text))
	}
	if !redact.HasMarks(m.Descriptor()) {
		t.Error("the type is said to have no marks")
	}
	for _, d := range []protoreflect.MessageDescriptor{new(structpb.Struct).ProtoReflect().Descriptor(), new(wrapperspb.StringValue).ProtoReflect().Descriptor()} {
		if redact.HasMarks(d) {
			t.Errorf("%s is said to have marks", d.FullName())
		}
	}
	if !redact.HasMarks(new(anypb.Any).ProtoReflect().Descriptor()) {
		t.Error("an Any can have anything in it")
	}
}

func FuzzHide(f *testing.F) {
	f.Add("secret", "a secret text")
	f.Add(`"quoted"`, `x "\"quoted\""`)
	f.Add("[REDACTED]", "[REDACTED]")
	f.Add("\xff\xfe\xfd\xfc", "\xff\xfe\xfd\xfc")
	f.Fuzz(func(t *testing.T, secret, text string) {
		texts := textsOf(secret)
		got := texts.Hide(text + secret + text)
		if len(secret) >= 4 && !strings.Contains(redact.Mask, secret) && !strings.Contains(text+redact.Mask+text, secret) && strings.Contains(got, secret) {
			t.Errorf("%q is left in %q", secret, got)
		}
	})
}
