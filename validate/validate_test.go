package validate_test

import (
	"maps"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/validate"
	betsv1 "github.com/betmakers/paddock/validate/internal/proto/validatetest/v1"
)

func TestViolations(t *testing.T) {
	t.Parallel()
	check := validate.Must()
	for _, test := range []struct {
		name   string
		change func(*betsv1.PlaceBetRequest)
		want   map[string]string
	}{
		{"valid", func(*betsv1.PlaceBetRequest) {}, nil},
		{"a field", func(m *betsv1.PlaceBetRequest) { m.Market = "" }, map[string]string{"market": "must be at least 1 characters"}},
		{"a list", func(m *betsv1.PlaceBetRequest) { m.Legs = nil }, map[string]string{"legs": "must contain at least 1 item(s)"}},
		{
			"a field of a message in a list",
			func(m *betsv1.PlaceBetRequest) { m.Legs = append(m.Legs, &betsv1.Leg{Stake: 0, Payout: 1}) },
			map[string]string{"legs[1].stake": "must be greater than 0"},
		},
		{
			"a message in a map",
			func(m *betsv1.PlaceBetRequest) { m.ByName = map[string]*betsv1.Leg{"a.b": {Stake: 3, Payout: 2}} },
			map[string]string{`by_name["a.b"]`: "the stake must be less than the payout"},
		},
		{"a oneof", func(m *betsv1.PlaceBetRequest) { m.Payment = nil }, map[string]string{"payment": "exactly one field is required in oneof"}},
		{
			"an expression that quotes a field which is no secret",
			func(m *betsv1.PlaceBetRequest) { m.Comment = "LOUD" },
			map[string]string{"comment": "the comment LOUD is loud"},
		},
		{
			"several",
			func(m *betsv1.PlaceBetRequest) { m.Market, m.Legs = strings.Repeat("x", 21), nil },
			map[string]string{"market": "must be at most 20 characters", "legs": "must contain at least 1 item(s)"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := valid()
			test.change(m)
			err := check(m)
			if got := violations(t, err); !maps.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			want := codes.OK
			if test.want != nil {
				want = codes.InvalidArgument
			}
			if status.Code(err) != want {
				t.Errorf("got %v, want %v", err, want)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	m := valid()
	m.Market, m.Legs = "", []*betsv1.Leg{{Stake: -1, Payout: 1}}
	got, want := status.Convert(validate.Must()(m)).Message(), "PlaceBetRequest is invalid: market: must be at least 1 characters (and 1 more)"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Nothing of a secret field leaves, whatever the rules make of it.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	const canary = "canary"
	check := validate.Must()
	for _, test := range []struct {
		name   string
		change func(*betsv1.PlaceBetRequest)
		want   map[string]string
	}{
		{"a rule that quotes its field", func(m *betsv1.PlaceBetRequest) { m.Pin = canary }, map[string]string{"pin": "breaks the rule pin.digits"}},
		{
			"a key of a map",
			func(m *betsv1.PlaceBetRequest) { m.Notes = map[string]string{canary: "x"} },
			map[string]string{"notes": "must be at most 5 characters"},
		},
		{
			"a value of a map under its key",
			func(m *betsv1.PlaceBetRequest) { m.Notes = map[string]string{"cana": canary} },
			map[string]string{"notes": "must be at most 5 characters"},
		},
		{
			"a field of a secret message",
			func(m *betsv1.PlaceBetRequest) { m.Account = &betsv1.Account{Owner: canary} },
			map[string]string{"account.owner": "breaks the rule owner.short"},
		},
		{
			"a rule of a whole message that quotes a field",
			func(m *betsv1.PlaceBetRequest) { m.Login = &betsv1.Login{User: "x", Password: canary} },
			map[string]string{"login": "breaks the rule login.quoting"},
		},
		{
			"a text that stands in the proto",
			func(m *betsv1.PlaceBetRequest) { m.Login = &betsv1.Login{User: "me", Password: "me"} },
			map[string]string{"login": "user and password must differ"},
		},
		{
			"a standard rule beside a secret",
			func(m *betsv1.PlaceBetRequest) { m.Login = &betsv1.Login{User: canary, Password: "y"} },
			map[string]string{"login.user": "must be at most 5 characters"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := valid()
			test.change(m)
			err := check(m)
			if got := violations(t, err); !maps.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if text := err.Error() + status.Convert(err).Proto().String(); strings.Contains(text, "cana") {
				t.Errorf("the secret is in %q", text)
			}
		})
	}
}

func TestStatusFitsInAHeader(t *testing.T) {
	t.Parallel()
	m := valid()
	m.Legs = nil
	for range 1000 {
		m.Legs = append(m.Legs, &betsv1.Leg{Stake: -1})
	}
	m.Market, m.ByName = "", map[string]*betsv1.Leg{strings.Repeat("é", 5000): {}}
	m.Comment = strings.Repeat("É", 5000)
	err := validate.Must()(m)
	if size := proto.Size(status.Convert(err).Proto()); size > 5000 {
		t.Errorf("the status has %d bytes, want 5000 at most", size)
	}
	if text := status.Convert(err).Message(); !strings.Contains(text, "more)") {
		t.Errorf("got %q, want it to tell how many there are", text)
	}
	if got := violations(t, err); len(got) < 10 {
		t.Errorf("got %d violations, want as many as there is room for", len(got))
	}
}

// A rule that cannot be evaluated says nothing about the message, and its cause may quote it.
func TestRuleThatFails(t *testing.T) {
	t.Parallel()
	m := valid()
	m.Odds = &betsv1.Odds{Won: 1, Of: 0}
	err := validate.Must()(m)
	if status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "validatetest.v1.PlaceBetRequest cannot be evaluated") {
		t.Errorf("got %v, want INTERNAL", err)
	}
	for _, detail := range status.Convert(err).Details() {
		if _, ok := detail.(*errdetails.BadRequest); ok {
			t.Errorf("got %v, want no fault of the caller's", detail)
		}
	}
}

func TestMessagesWithoutRules(t *testing.T) {
	t.Parallel()
	check := validate.Must()
	for _, m := range []proto.Message{&betsv1.PlaceBetResponse{}, (*betsv1.PlaceBetResponse)(nil)} {
		if err := check(m); err != nil {
			t.Errorf("%v: got %v, want nil", m, err)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	check := validate.Must()
	for name, m := range map[string]proto.Message{
		"valid": valid(), "invalid": &betsv1.PlaceBetRequest{}, "without rules": &betsv1.PlaceBetResponse{},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = check(m)
			}
		})
	}
}
