package contract_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/betmakers/paddock/internal/contract"
	paddockv1 "github.com/betmakers/paddock/proto/paddock/v1"
)

// Each of these is wrong wherever it stands: in a method's option, in that of its service, and in
// an operator's override.
var wrong = []struct {
	name   string
	policy string
	want   []string // option and reason, after the place
}{
	{"no timeout at all", `timeout: {}`, []string{
		`timeout is 0s; it must be more than zero`}},
	{"negative timeout", `timeout: {seconds: -2}`, []string{
		`timeout is -2s; it must be more than zero`}},
	{"timeout of two signs", `timeout: {seconds: 2 nanos: -1}`, []string{
		`timeout is not a duration: seconds and nanos must be in range and have the same sign, but are 2 and -1`}},
	{"timeout out of range", `timeout: {seconds: 9223372036854775807}`, []string{
		`timeout is not a duration: seconds and nanos must be in range and have the same sign, but are 9223372036854775807 and 0`}},
	{"nanos out of range", `timeout: {nanos: 1000000000}`, []string{
		`timeout is not a duration: seconds and nanos must be in range and have the same sign, but are 0 and 1000000000`}},
	{"empty caller", `callers: ""`, []string{
		`callers has "": a caller has 1 to 2048 letters`}},
	{"unknown kind of caller", `callers: "group:admins"`, []string{
		`callers has "group:admins": the path "group:admins" has ':' in it: letters, digits, dots, dashes, underscores and * are allowed`}},
	{"caller of any trust domain", `callers: "spiffe://*/web"`, []string{
		`callers has "spiffe://*/web": the trust domain "*" has '*' in it: lower-case letters, digits, dots, dashes and underscores are allowed, and no *`}},
	{"one wrong caller among right ones", `callers: "web" callers: "we b" callers: "batch"`, []string{
		`callers has "we b": a caller has no blanks, control characters or letters beyond ASCII`}},
	{"two wrong callers", `callers: "user:" callers: "/web"`, []string{
		`callers has "user:": user: has no subject behind it`,
		`callers has "/web": the path "/web" has an empty or dotted segment: a name, or names with slashes between, are expected`}},
	{"public beside callers", `public: true callers: "web"`, []string{
		`public is set beside callers, but a public method accepts every caller: remove one of them`}},
	{"criticality from the future", `criticality: 4`, []string{
		`criticality is 4, which this version of Paddock does not know`}},
	{"negative criticality", `criticality: -1`, []string{
		`criticality is -1, which this version of Paddock does not know`}},
	{"availability of all calls", `slo: {availability: 100}`, []string{
		`slo.availability is 100; it is a percentage and must be more than 0 and less than 100`}},
	{"availability of more than all", `slo: {availability: 100.1}`, []string{
		`slo.availability is 100.1; it is a percentage and must be more than 0 and less than 100`}},
	{"availability of none", `slo: {availability: 0}`, []string{
		`slo.availability is 0; it is a percentage and must be more than 0 and less than 100`}},
	{"negative availability", `slo: {availability: -99}`, []string{
		`slo.availability is -99; it is a percentage and must be more than 0 and less than 100`}},
	{"availability that is no number", `slo: {availability: nan}`, []string{
		`slo.availability is NaN; it is a percentage and must be more than 0 and less than 100`}},
	{"endless availability", `slo: {availability: inf}`, []string{
		`slo.availability is +Inf; it is a percentage and must be more than 0 and less than 100`}},
	{"latency without a time", `slo: {latency: {ratio: 99}}`, []string{
		`slo.latency.within is 0s; it must be more than zero`}},
	{"latency without a share", `slo: {latency: {within: {seconds: 1}}}`, []string{
		`slo.latency.ratio is 0; it is a percentage and must be more than 0 and less than 100`}},
	{"latency of nothing", `slo: {latency: {}}`, []string{
		`slo.latency.within is 0s; it must be more than zero`,
		`slo.latency.ratio is 0; it is a percentage and must be more than 0 and less than 100`}},
	{"latency of all calls", `slo: {latency: {within: {seconds: 1} ratio: 100}}`, []string{
		`slo.latency.ratio is 100; it is a percentage and must be more than 0 and less than 100`}},
	{"negative latency", `slo: {latency: {within: {seconds: -1} ratio: 99}}`, []string{
		`slo.latency.within is -1s; it must be more than zero`}},
	{"one attempt", `retry: {safe: true max_attempts: 1}`, []string{
		`retry.max_attempts is 1; it must be between 2 and 5`}},
	{"too many attempts", `retry: {safe: true max_attempts: 6}`, []string{
		`retry.max_attempts is 6; it must be between 2 and 5`}},
	{"negative attempts", `retry: {max_attempts: -1}`, []string{
		`retry.max_attempts is -1; it must be between 2 and 5`}},
	{"attempts of what is forbidden", `retry: {safe: false max_attempts: 3}`, []string{
		`retry.max_attempts is set beside safe: false, which forbids retries: remove one of them`}},
	{"hedged at once", `retry: {safe: true hedge_after: {}}`, []string{
		`retry.hedge_after is 0s; it must be more than zero`}},
	{"hedged before", `retry: {safe: true hedge_after: {nanos: -1}}`, []string{
		`retry.hedge_after is -1ns; it must be more than zero`}},
	{"hedged never", `retry: {safe: true hedge_after: {seconds: 9223372036854775807}}`, []string{
		`retry.hedge_after is not a duration: seconds and nanos must be in range and have the same sign, but are 9223372036854775807 and 0`}},
	{"requests of no bytes", `max_request_bytes: 0`, []string{
		`max_request_bytes is 0; it must be more than zero`}},
	{"requests of less than no bytes", `max_request_bytes: -1`, []string{
		`max_request_bytes is -1; it must be more than zero`}},
	{"much at once", `timeout: {} public: true callers: "*/" criticality: 9 slo: {availability: 101} retry: {max_attempts: 9} max_request_bytes: 0`, []string{
		`timeout is 0s; it must be more than zero`,
		`public is set beside callers, but a public method accepts every caller: remove one of them`,
		`callers has "*/": the path "*/" has an empty or dotted segment: a name, or names with slashes between, are expected`,
		`criticality is 9, which this version of Paddock does not know`,
		`slo.availability is 101; it is a percentage and must be more than 0 and less than 100`,
		`retry.max_attempts is 9; it must be between 2 and 5`,
		`max_request_bytes is 0; it must be more than zero`}},
}

func TestWrongDeclarations(t *testing.T) {
	for _, test := range wrong {
		t.Run(test.name, func(t *testing.T) {
			desc := declare(t, "", rpc{name: "Place", policy: test.policy})
			wantErrors(t, compileErr(desc, nil), fileOf(desc)+": "+desc.ServiceName+".Place: option (paddock.v1.method).", test.want)

			// The service's own mistake is one, however many methods it has, and whether or not
			// they stream.
			desc = declare(t, test.policy, rpc{name: "Place"}, rpc{name: "Settle"}, rpc{name: "Watch", serverStreams: true})
			wantErrors(t, compileErr(desc, nil), fileOf(desc)+": "+desc.ServiceName+": option (paddock.v1.service).", test.want)

			desc = declare(t, "", rpc{name: "Place"})
			name := desc.ServiceName + "/Place"
			overrides := contract.Overrides{name: policy(t, test.policy)}
			wantErrors(t, compileErr(desc, overrides), "CHASSIS_POLICY_OVERRIDES: "+name+": ", test.want)
		})
	}
}

func TestStreamsTakeNoUnaryOptions(t *testing.T) {
	shapes := map[string]rpc{
		"client stream":        {clientStreams: true},
		"server stream":        {serverStreams: true},
		"bidirectional stream": {clientStreams: true, serverStreams: true},
	}
	options := map[string]string{
		"slo.latency": `slo: {latency: {within: {seconds: 1} ratio: 99}}`,
		"retry":       `retry: {safe: true}`,
	}
	for kind, method := range shapes {
		for option, text := range options {
			t.Run(kind+" with "+option, func(t *testing.T) {
				want := []string{option + " is for unary methods, and this one is a " + kind}
				method.name = "Watch"

				plain := declare(t, "", method)
				name := plain.ServiceName + "/Watch"
				overrides := contract.Overrides{name: policy(t, text)}
				wantErrors(t, compileErr(plain, overrides), "CHASSIS_POLICY_OVERRIDES: "+name+": ", want)

				method := method
				method.policy = text
				desc := declare(t, "", method)
				wantErrors(t, compileErr(desc, nil), fileOf(desc)+": "+desc.ServiceName+".Watch: option (paddock.v1.method).", want)

				method.policy = ""
				m := one(t, declare(t, text, method), contract.Defaults{})
				if m.Repeatable || m.MaxAttempts != 0 || m.Objectives != (contract.Objectives{}) {
					t.Errorf("the service's %s reached a stream: %+v", option, m)
				}
			})
		}
	}
}

func TestHedgeThatCannotBe(t *testing.T) {
	const place = `FILE: SERVICE.Place: option (paddock.v1.method).retry.hedge_after `
	const repeat = `is for methods that may be repeated: set idempotency_level, or retry.safe to true`
	for name, test := range map[string]struct{ service, method, override, want string }{
		"not repeatable":               {"", `retry: {hedge_after: {seconds: 1}}`, "", place + repeat},
		"forbidden":                    {"", `retry: {safe: false hedge_after: {seconds: 1}}`, "", place + repeat},
		"forbidden by the service":     {`retry: {safe: false}`, `retry: {hedge_after: {seconds: 1}}`, "", place + repeat},
		"by the override":              {"", "", `retry: {hedge_after: {seconds: 1}}`, `CHASSIS_POLICY_OVERRIDES: SERVICE/Place: retry.hedge_after ` + repeat},
		"as late as the timeout":       {"", `timeout: {seconds: 1} retry: {safe: true hedge_after: {seconds: 1}}`, "", place + `is 1s, not less than the timeout of 1s: no call waits that long`},
		"later than the service's":     {`timeout: {seconds: 1}`, `retry: {safe: true hedge_after: {seconds: 2}}`, "", place + `is 2s, not less than the timeout of 1s: no call waits that long`},
		"by the service, just in time": {`timeout: {seconds: 3} retry: {hedge_after: {seconds: 2}}`, `retry: {safe: true}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			desc := declare(t, test.service, rpc{name: "Place", policy: test.method})
			overrides := contract.Overrides{}
			if test.override != "" {
				overrides[desc.ServiceName+"/Place"] = policy(t, test.override)
			}
			got := strings.Join(lines(compileErr(desc, overrides)), "; ")
			if want := placed(desc, test.want); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestLatencyLongerThanTimeout(t *testing.T) {
	const slow = `slo: {latency: {within: {seconds: 20} ratio: 99}}`
	tests := []struct {
		name, service, method, override string
		timeout                         time.Duration
		want                            string // FILE and SERVICE stand for the real names; empty if nothing is wrong
	}{
		{"in one method", "", `timeout: {seconds: 19} ` + slow, "", 0,
			`FILE: SERVICE.Place: option (paddock.v1.method).slo.latency.within is 20s, longer than the timeout of 19s: calls cannot be that slow`},
		{"an operator's timeout of all methods", "", slow, "", 10 * time.Second, ""},
		{"an operator's timeout of this method", "", `timeout: {seconds: 30} ` + slow, `timeout: {seconds: 1}`, 0, ""},
		{"the service's objective", slow, `timeout: {seconds: 5}`, "", 0,
			`FILE: SERVICE.Place: option (paddock.v1.service).slo.latency.within is 20s, longer than the timeout of 5s: calls cannot be that slow`},
		{"the service's timeout", `timeout: {seconds: 5}`, slow, "", 0,
			`FILE: SERVICE.Place: option (paddock.v1.method).slo.latency.within is 20s, longer than the timeout of 5s: calls cannot be that slow`},
		{"the override's objective", "", `timeout: {seconds: 5}`, slow, 0,
			`CHASSIS_POLICY_OVERRIDES: SERVICE/Place: slo.latency.within is 20s, longer than the timeout of 5s: calls cannot be that slow`},
		{"the nearer of two objectives", `slo: {latency: {within: {seconds: 1} ratio: 99}}`, `timeout: {seconds: 5} ` + slow, "", 0,
			`FILE: SERVICE.Place: option (paddock.v1.method).slo.latency.within is 20s, longer than the timeout of 5s: calls cannot be that slow`},
		{"just as long", "", `timeout: {seconds: 20} ` + slow, "", 0, ""},
		{"no timeout", "", slow, "", 0, ""},
		{"the method mends its service", `timeout: {seconds: 5} ` + slow, `timeout: {seconds: 30}`, "", 0, ""},
		{"an override mends both", slow, `timeout: {seconds: 5}`, `timeout: {seconds: 30}`, 0, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			desc := declare(t, test.service, rpc{name: "Place", policy: test.method})
			defaults := contract.Defaults{Timeout: test.timeout}
			if test.override != "" {
				defaults.Overrides = contract.Overrides{desc.ServiceName + "/Place": policy(t, test.override)}
			}
			_, _, err := contract.Compile(desc, defaults)
			var want []string
			if test.want != "" {
				want = []string{placed(desc, test.want)}
			}
			wantErrors(t, err, "", want)
		})
	}
}

func TestAllErrorsOfAServiceAtOnce(t *testing.T) {
	desc := declare(t, `timeout: {} slo: {latency: {within: {seconds: 20} ratio: 99}}`,
		rpc{name: "Place", policy: `timeout: {seconds: 1} callers: "*/"`},
		rpc{name: "Settle", policy: `timeout: {seconds: 2}`},
		rpc{name: "Watch", serverStreams: true, policy: `retry: {safe: true} timeout: {seconds: -1}`},
	)
	_, _, err := contract.Compile(desc, contract.Defaults{Overrides: contract.Overrides{
		desc.ServiceName + "/Settle": &paddockv1.Policy{Criticality: 7},
	}})
	want := []string{
		`FILE: SERVICE: option (paddock.v1.service).timeout is 0s; it must be more than zero`,
		`FILE: SERVICE.Place: option (paddock.v1.method).callers has "*/": the path "*/" has an empty or dotted segment: a name, or names with slashes between, are expected`,
		`FILE: SERVICE.Place: option (paddock.v1.service).slo.latency.within is 20s, longer than the timeout of 1s: calls cannot be that slow`,
		`CHASSIS_POLICY_OVERRIDES: SERVICE/Settle: criticality is 7, which this version of Paddock does not know`,
		`FILE: SERVICE.Settle: option (paddock.v1.service).slo.latency.within is 20s, longer than the timeout of 2s: calls cannot be that slow`,
		`FILE: SERVICE.Watch: option (paddock.v1.method).timeout is -1s; it must be more than zero`,
		`FILE: SERVICE.Watch: option (paddock.v1.method).retry is for unary methods, and this one is a server stream`,
	}
	for i := range want {
		want[i] = placed(desc, want[i])
	}
	wantErrors(t, err, "", want)
}

func wantErrors(t *testing.T, err error, place string, want []string) {
	t.Helper()
	placed := slices.Clone(want)
	for i := range placed {
		placed[i] = place + placed[i]
	}
	if got := lines(err); !slices.Equal(got, placed) {
		t.Errorf("errors are\n\t%q\nwant\n\t%q", got, placed)
	}
}
