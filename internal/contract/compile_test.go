package contract_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/betmakers/paddock/internal/contract"
)

// What declarations make of a unary method whose timeout is 10 s by default: the nearer one wins,
// field by field.
func TestPrecedence(t *testing.T) {
	const (
		unsaid     = descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN
		noEffect   = descriptorpb.MethodOptions_NO_SIDE_EFFECTS
		idempotent = descriptorpb.MethodOptions_IDEMPOTENT
	)
	type method = contract.Method
	tests := []struct {
		name, service, method, override string
		idempotency                     descriptorpb.MethodOptions_IdempotencyLevel
		want                            func(*method) // put on what holds where nothing is declared
	}{
		{"nothing", "", "", "", unsaid, func(*method) {}},

		{"timeout of the service", `timeout: {seconds: 1}`, ``, ``, unsaid, func(m *method) { m.Timeout = time.Second }},
		{"timeout of the method", `timeout: {seconds: 1}`, `timeout: {seconds: 2}`, ``, unsaid, func(m *method) { m.Timeout = 2 * time.Second }},
		{"timeout of the override", `timeout: {seconds: 1}`, `timeout: {seconds: 2}`, `timeout: {nanos: 3}`, unsaid, func(m *method) { m.Timeout = 3 }},
		{"timeout longer than the default", ``, `timeout: {seconds: 60}`, ``, unsaid, func(m *method) { m.Timeout = time.Minute }},

		{"callers of the service", `callers: "web"`, ``, ``, unsaid, func(m *method) { m.Callers = patterns(t, "web") }},
		{"callers of the method alone", `callers: "web" callers: "batch"`, `callers: "admin-*"`, ``, unsaid, func(m *method) { m.Callers = patterns(t, "admin-*") }},
		{"callers of the override alone", `callers: "web"`, `callers: "batch"`, `callers: "user:*"`, unsaid, func(m *method) { m.Callers = patterns(t, "user:*") }},
		{"callers keep their order", ``, `callers: "web" callers: "batch"`, ``, unsaid, func(m *method) { m.Callers = patterns(t, "web", "batch") }},

		{"public service", `public: true`, ``, ``, unsaid, func(m *method) { m.Public = true }},
		{"public method", ``, `public: true`, ``, unsaid, func(m *method) { m.Public = true }},
		{"a public method of a service with callers", `callers: "web"`, `public: true`, ``, unsaid, func(m *method) { m.Public = true }},
		{"callers of one method of a public service", `public: true`, `callers: "web"`, ``, unsaid, func(m *method) { m.Callers = patterns(t, "web") }},
		{"a method of a public service that is not", `public: true`, `public: false`, ``, unsaid, func(*method) {}},
		{"not public and callers", ``, `public: false callers: "web"`, ``, unsaid, func(m *method) { m.Callers = patterns(t, "web") }},
		{"not public leaves the service's callers", `callers: "web"`, `public: false`, ``, unsaid, func(m *method) { m.Callers = patterns(t, "web") }},
		{"an override closes what is public", ``, `public: true`, `public: false`, unsaid, func(*method) {}},
		{"an override opens what has callers", ``, `callers: "web"`, `public: true`, unsaid, func(m *method) { m.Public = true }},
		{"an override leaves what it does not name", `public: true`, ``, `timeout: {seconds: 1}`, unsaid, func(m *method) { m.Public, m.Timeout = true, time.Second }},

		{"criticality of the service", `criticality: CRITICALITY_CRITICAL`, ``, ``, unsaid, func(m *method) { m.Criticality = contract.Critical }},
		{"criticality of the method", `criticality: CRITICALITY_CRITICAL`, `criticality: CRITICALITY_NORMAL`, ``, unsaid, func(m *method) { m.Criticality = contract.Normal }},
		{"criticality of the override", `criticality: CRITICALITY_CRITICAL`, `criticality: CRITICALITY_NORMAL`, `criticality: CRITICALITY_SHEDDABLE`, unsaid, func(m *method) { m.Criticality = contract.Sheddable }},
		{"unspecified criticality says nothing", `criticality: CRITICALITY_CRITICAL`, `criticality: CRITICALITY_UNSPECIFIED timeout: {seconds: 1}`, ``, unsaid, func(m *method) { m.Criticality, m.Timeout = contract.Critical, time.Second }},

		{"objectives of the service", `slo: {availability: 99 latency: {within: {seconds: 1} ratio: 95}}`, ``, ``, unsaid, func(m *method) {
			m.Objectives = contract.Objectives{Availability: 99, Latency: 95, Within: time.Second}
		}},
		{"one objective of each", `slo: {availability: 99}`, `slo: {latency: {within: {seconds: 1} ratio: 95}}`, ``, unsaid, func(m *method) {
			m.Objectives = contract.Objectives{Availability: 99, Latency: 95, Within: time.Second}
		}},
		{"objectives of the method", `slo: {availability: 99 latency: {within: {seconds: 1} ratio: 95}}`, `slo: {availability: 99.9 latency: {within: {seconds: 2} ratio: 90}}`, ``, unsaid, func(m *method) {
			m.Objectives = contract.Objectives{Availability: 99.9, Latency: 90, Within: 2 * time.Second}
		}},
		{"objective of the override", `slo: {availability: 99}`, `slo: {availability: 99.9}`, `slo: {availability: 50}`, unsaid, func(m *method) { m.Objectives.Availability = 50 }},
		{"an empty slo says nothing", `slo: {availability: 99}`, `slo: {}`, ``, unsaid, func(m *method) { m.Objectives.Availability = 99 }},

		{"largest request of the service", `max_request_bytes: 10`, ``, ``, unsaid, func(m *method) { m.MaxRequest = 10 }},
		{"largest request of the method", `max_request_bytes: 10`, `max_request_bytes: 20`, ``, unsaid, func(m *method) { m.MaxRequest = 20 }},
		{"largest request of the override", `max_request_bytes: 10`, `max_request_bytes: 20`, `max_request_bytes: 1`, unsaid, func(m *method) { m.MaxRequest = 1 }},

		{"no side effects", ``, ``, ``, noEffect, func(m *method) { m.Repeatable, m.MaxAttempts = true, 3 }},
		{"idempotent", ``, ``, ``, idempotent, func(m *method) { m.Repeatable, m.MaxAttempts = true, 3 }},
		{"safe without idempotency", ``, `retry: {safe: true}`, ``, unsaid, func(m *method) { m.Repeatable, m.MaxAttempts = true, 3 }},
		{"safe so often", ``, `retry: {safe: true max_attempts: 2}`, ``, unsaid, func(m *method) { m.Repeatable, m.MaxAttempts = true, 2 }},
		{"how often where idempotency says whether", ``, `retry: {max_attempts: 5}`, ``, idempotent, func(m *method) { m.Repeatable, m.MaxAttempts = true, 5 }},
		{"how often by the service", `retry: {max_attempts: 4}`, ``, ``, idempotent, func(m *method) { m.Repeatable, m.MaxAttempts = true, 4 }},
		{"how often where nobody says whether", `retry: {max_attempts: 4}`, ``, ``, unsaid, func(*method) {}},
		{"whether by the service, how often by the method", `retry: {safe: true max_attempts: 2}`, `retry: {max_attempts: 5}`, ``, unsaid, func(m *method) { m.Repeatable, m.MaxAttempts = true, 5 }},
		{"how often by the service, whether by the method", `retry: {max_attempts: 5}`, `retry: {safe: true}`, ``, unsaid, func(m *method) { m.Repeatable, m.MaxAttempts = true, 5 }},
		{"forbidden although idempotent", ``, `retry: {safe: false}`, ``, idempotent, func(m *method) { m.MaxAttempts = 1 }},
		{"forbidden by the method", `retry: {safe: true max_attempts: 5}`, `retry: {safe: false}`, ``, unsaid, func(m *method) { m.MaxAttempts = 1 }},
		{"forbidden by the override", ``, `retry: {safe: true}`, `retry: {safe: false}`, idempotent, func(m *method) { m.MaxAttempts = 1 }},
		{"allowed by the override", `retry: {safe: false}`, ``, `retry: {safe: true}`, unsaid, func(m *method) { m.Repeatable, m.MaxAttempts = true, 3 }},
		{"hedged", ``, `retry: {hedge_after: {nanos: 5}}`, ``, idempotent, func(m *method) { m.Repeatable, m.MaxAttempts, m.HedgeAfter = true, 3, 5 }},
		{"hedged by the service", `retry: {hedge_after: {nanos: 5}}`, ``, ``, noEffect, func(m *method) { m.Repeatable, m.MaxAttempts, m.HedgeAfter = true, 3, 5 }},
		{"hedged by the service, but not repeatable", `retry: {hedge_after: {nanos: 5}}`, ``, ``, unsaid, func(*method) {}},
		{"hedged by the service, which the method forbids", `retry: {hedge_after: {nanos: 5}}`, `retry: {safe: false}`, ``, idempotent, func(m *method) { m.MaxAttempts = 1 }},
		{"hedged by the method", `retry: {hedge_after: {nanos: 5}}`, `retry: {safe: true hedge_after: {nanos: 7}}`, ``, unsaid, func(m *method) { m.Repeatable, m.MaxAttempts, m.HedgeAfter = true, 3, 7 }},
		{"hedged after an operator's timeout of all methods", ``, `retry: {hedge_after: {seconds: 10}}`, ``, idempotent, func(m *method) { m.Repeatable, m.MaxAttempts, m.HedgeAfter = true, 3, 10*time.Second }},
		{"hedged after the override's timeout", ``, `retry: {hedge_after: {seconds: 2}} timeout: {seconds: 3}`, `timeout: {seconds: 1}`, idempotent, func(m *method) {
			m.Repeatable, m.MaxAttempts, m.HedgeAfter, m.Timeout = true, 3, 2*time.Second, time.Second
		}},
		{"an empty retry says nothing", ``, `retry: {}`, ``, idempotent, func(m *method) { m.Repeatable, m.MaxAttempts = true, 3 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			desc := declare(t, test.service, rpc{name: "Place", policy: test.method, idempotency: test.idempotency})
			name := desc.ServiceName + "/Place"
			defaults := contract.Defaults{Timeout: 10 * time.Second}
			want := method{FullMethod: "/" + name, Name: name, Timeout: 10 * time.Second}
			if test.override != "" {
				defaults.Overrides = contract.Overrides{name: policy(t, test.override)}
				want.Overridden = true
			}
			want.OwnTimeout = strings.Contains(test.service+test.method+test.override, "timeout:")
			test.want(&want)
			if got := one(t, desc, defaults); !reflect.DeepEqual(*got, want) {
				t.Errorf("record is\n\t%+v\nwant\n\t%+v", *got, want)
			}
		})
	}
}

// By REST a declared timeout holds as it is, and of two defaults the earlier one. Zero is none.
func TestTimeoutByREST(t *testing.T) {
	for _, test := range []struct {
		method       contract.Method
		byREST, want time.Duration
	}{
		{contract.Method{Timeout: 20, OwnTimeout: true}, 8, 20},
		{contract.Method{Timeout: 2, OwnTimeout: true}, 8, 2},
		{contract.Method{Timeout: 10}, 8, 8},
		{contract.Method{Timeout: 4}, 8, 4},
		{contract.Method{Timeout: 10}, 0, 10},
		{contract.Method{}, 8, 8},
		{contract.Method{}, 0, 0},
		{contract.Method{ServerStreams: true}, 8, 0},
		{contract.Method{ServerStreams: true, Timeout: 20, OwnTimeout: true}, 8, 20},
	} {
		if got := test.method.TimeoutByREST(test.byREST); got != test.want {
			t.Errorf("%+v: got %d by REST with %d, want %d", test.method, got, test.byREST, test.want)
		}
	}
}

func TestStreams(t *testing.T) {
	const all = `timeout: {seconds: 1} callers: "web" criticality: CRITICALITY_CRITICAL max_request_bytes: 10
		slo: {availability: 99 latency: {within: {nanos: 1} ratio: 90}} retry: {safe: true}`
	desc := declare(t, all, rpc{name: "Watch", serverStreams: true, idempotency: descriptorpb.MethodOptions_IDEMPOTENT})
	name := desc.ServiceName + "/Watch"
	want := contract.Method{
		FullMethod: "/" + name, Name: name, ServerStreams: true,
		Callers: patterns(t, "web"), Criticality: contract.Critical, MaxRequest: 10,
		Objectives: contract.Objectives{Availability: 99},
	}
	if got := one(t, desc, contract.Defaults{Timeout: time.Second}); !reflect.DeepEqual(*got, want) {
		t.Errorf("a service's timeout, latency and retries are not its streams': record is\n\t%+v\nwant\n\t%+v", *got, want)
	}

	desc = declare(t, "", rpc{name: "Watch", serverStreams: true, policy: `timeout: {seconds: 60} slo: {availability: 99}`})
	got := one(t, desc, contract.Defaults{Timeout: time.Second})
	if got.Timeout != time.Minute || got.Objectives.Availability != 99 {
		t.Errorf("a stream's own timeout and availability are %s and %v, want 1m0s and 99", got.Timeout, got.Objectives.Availability)
	}

	desc = declare(t, "", rpc{name: "Watch", clientStreams: true, serverStreams: true})
	overrides, err := contract.ParseOverrides(`{"` + desc.ServiceName + `/Watch": {"timeout": "60s"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := one(t, desc, contract.Defaults{Overrides: overrides}); got.Timeout != time.Minute || !got.Overridden {
		t.Errorf("an override's timeout of a stream is %s (overridden: %v), want 1m0s", got.Timeout, got.Overridden)
	}
}

func TestOrderAndShape(t *testing.T) {
	desc := declare(t, "", rpc{name: "Place"}, rpc{name: "Watch", serverStreams: true}, rpc{name: "Cancel"},
		rpc{name: "Upload", clientStreams: true}, rpc{name: "Chat", clientStreams: true, serverStreams: true})
	unary, streams, err := contract.Compile(desc, contract.Defaults{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range append(unary, streams...) {
		got = append(got, m.FullMethod[len(desc.ServiceName)+1:]+" "+m.Kind())
		if m.Unary() != (m.Kind() == "unary") {
			t.Errorf("%s: unary is %v", m.Name, m.Unary())
		}
	}
	want := []string{"/Place unary", "/Cancel unary", "/Watch server stream", "/Upload client stream", "/Chat bidirectional stream"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("methods are %q, want %q", got, want)
	}
}

func TestServiceWithoutDescriptors(t *testing.T) {
	desc := describe("unknown.Bets", rpc{name: "Place"}, rpc{name: "Watch", serverStreams: true})
	unary, streams, err := contract.Compile(desc, contract.Defaults{Timeout: time.Second, Overrides: contract.Overrides{
		"unknown.Bets/Watch": policy(t, `public: true`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []contract.Method{
		{FullMethod: "/unknown.Bets/Place", Name: "unknown.Bets/Place", Timeout: time.Second},
		{FullMethod: "/unknown.Bets/Watch", Name: "unknown.Bets/Watch", ServerStreams: true, Public: true, Overridden: true},
	}
	if got := []contract.Method{*unary[0], *streams[0]}; !reflect.DeepEqual(got, want) {
		t.Errorf("records are\n\t%+v\nwant\n\t%+v", got, want)
	}
}

// A name that is linked in as something else, and a method that its descriptor does not have,
// declare nothing.
func TestDescriptorsThatDoNotFit(t *testing.T) {
	if got := one(t, describe("paddock.v1.Policy", rpc{name: "Place"}), contract.Defaults{}); got.Public || got.Callers != nil {
		t.Errorf("record is %+v", got)
	}
	desc := declare(t, `criticality: CRITICALITY_CRITICAL`, rpc{name: "Place", policy: `public: true`})
	desc.Methods[0].MethodName = "Settle"
	if got := one(t, desc, contract.Defaults{}); got.Public || got.Criticality != contract.Critical {
		t.Errorf("record is %+v, want the service's criticality and nothing of another method", got)
	}
}

func TestInfrastructureIsOpenAndQuiet(t *testing.T) {
	tests := map[string]bool{
		"grpc.health.v1.Health":                    true,
		"grpc.reflection.v1.ServerReflection":      true,
		"grpc.reflection.v1alpha.ServerReflection": true,
		"grpc.health.v1":                           false,
		"grpc.healthy.v1.Health":                   false,
		"my.grpc.health.v1.Health":                 false,
	}
	for service, open := range tests {
		m := one(t, describe(service, rpc{name: "Check"}), contract.Defaults{})
		if m.Public != open || m.Quiet != open {
			t.Errorf("%s: public is %v and quiet %v, want %v", service, m.Public, m.Quiet, open)
		}
	}

	m := one(t, describe("grpc.health.v1.Health", rpc{name: "Check"}), contract.Defaults{Overrides: contract.Overrides{
		"grpc.health.v1.Health/Check": policy(t, `callers: "prober"`),
	}})
	if m.Public || m.Describe() != "prober" {
		t.Errorf("an override cannot close the health service: it is open to %s", m.Describe())
	}
}

func TestDescribe(t *testing.T) {
	tests := map[string]string{
		``:                                   "any service of the own trust domain",
		`public: true`:                       "anybody",
		`callers: "web" callers: "user:bob"`: "web, user:bob",
	}
	for text, want := range tests {
		if got := one(t, declare(t, text, rpc{name: "Place"}), contract.Defaults{}).Describe(); got != want {
			t.Errorf("%q is described as %q, want %q", text, got, want)
		}
	}
}

func TestCriticality(t *testing.T) {
	if contract.Sheddable >= contract.Normal || contract.Normal >= contract.Critical {
		t.Error("criticalities are not in the order of their worth")
	}
	for c, want := range map[contract.Criticality]string{contract.Sheddable: "sheddable", contract.Normal: "normal", contract.Critical: "critical"} {
		if c.String() != want {
			t.Errorf("criticality %d is %q, want %q", c, c, want)
		}
	}
	if (contract.Method{}).Criticality != contract.Normal {
		t.Error("a method that says nothing is not of normal criticality")
	}
}

// The standard option says which methods are to be used no more.
func TestDeprecatedMethods(t *testing.T) {
	desc := declare(t, ``, rpc{name: "Place"}, rpc{name: "PlaceOld", deprecated: true})
	unary, _, err := contract.Compile(desc, contract.Defaults{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range unary {
		if want := strings.HasSuffix(m.Name, "Old"); m.Deprecated != want {
			t.Errorf("%s: deprecated is %v", m.Name, m.Deprecated)
		}
	}
}

// A tool that reads .proto files has the records that the service has, in the order of the file.
func TestCompileDescriptor(t *testing.T) {
	desc := declare(t, `timeout: {seconds: 1}`, rpc{name: "Watch", serverStreams: true}, rpc{name: "Place", policy: `callers: "web"`})
	got, err := contract.CompileDescriptor(contract.Descriptor(desc.ServiceName), contract.Defaults{})
	if err != nil {
		t.Fatal(err)
	}
	unary, streams, err := contract.Compile(desc, contract.Defaults{})
	if want := append(streams, unary...); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v, %v", got, want, err)
	}
	wrong := declare(t, "", rpc{name: "Place", policy: `timeout: {seconds: -1}`})
	if _, err := contract.CompileDescriptor(contract.Descriptor(wrong.ServiceName), contract.Defaults{}); err == nil {
		t.Error("a contradiction is no error")
	}
}
