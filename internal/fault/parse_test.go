package fault_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/fault"
)

func parse(t testing.TB, text string) []*fault.Rule {
	t.Helper()
	rules, err := fault.Parse(text, false)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		``:                              ``,
		`{"method":"*","reset":true}`:   `*: reset`,
		`[{"method":"*","reset":true}]`: `*: reset`,
		`{"method":"a.b.C/*","peer":"web","ratio":0.25,"delay":"1500ms","abort":"UNAVAILABLE"}`: `25% of a.b.C/* by web: 1.5s late, then UNAVAILABLE`,
		`{"method":"*/D*","delay":"1m","for":"10m"}`:                                            `*/D*: 1m0s late`,
		`{"method":"a/b","abort":"ABORTED","after":3,"message":"no"}`:                           `a/b: 3 messages, then ABORTED`,
		` [ {"method":"a/b","delay":"1ns"} , {"method":"*","abort":"CANCELLED"} ] `:             `a/b: 1ns late; *: CANCELLED`,
	} {
		var got []string
		for _, r := range parse(t, text) {
			got = append(got, r.String())
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const ok = `"method":"a.b.C/D","abort":"ABORTED"`
	for text, says := range map[string]string{
		`fault`:                                                      "cannot read the faults, expected {",
		`{` + ok + `}{}`:                                             "something stands behind the JSON",
		`[{` + ok + `},{"metod":"a/b"}]`:                             `unknown field "metod"`,
		`{"method":"*"}`:                                             "it does nothing: give delay, abort or reset",
		`{"abort":"ABORTED"}`:                                        `method: "": expected package.Service/Method`,
		`{"method":"/a.b.C/D"}`:                                      "method: ",
		`{"method":"a b/D"}`:                                         "method: ",
		`{"method":"a/b/c"}`:                                         "method: ",
		`{` + ok + `,"peer":"we b"}`:                                 `peer: "we b": a caller has no blanks`,
		`{` + ok + `,"ratio":0}`:                                     "ratio: 0: expected more than 0 and at most 1",
		`{` + ok + `,"ratio":-0.1}`:                                  "ratio: -0.1",
		`{` + ok + `,"ratio":1.01}`:                                  "ratio: 1.01",
		`{` + ok + `,"ratio":1e999}`:                                 "ratio",
		`{` + ok + `,"ratio":"NaN"}`:                                 "ratio",
		`{` + ok + `,"delay":"0s"}`:                                  `delay: "0s": expected a duration such as 200ms`,
		`{` + ok + `,"delay":"-1s"}`:                                 `delay: "-1s"`,
		`{` + ok + `,"delay":"61s"}`:                                 `delay: "61s": expected a duration such as 200ms, more than 0 and at most 1m0s`,
		`{` + ok + `,"delay":"Inf"}`:                                 `delay: "Inf"`,
		`{` + ok + `,"delay":200}`:                                   "delay",
		`{"method":"*","abort":"OK"}`:                                `abort: "OK": expected the name of a gRPC code other than OK`,
		`{"method":"*","abort":"14"}`:                                `abort: "14"`,
		`{"method":"*","abort":"Broken"}`:                            `abort: "Broken"`,
		`{` + ok + `,"reset":true}`:                                  "reset: a call cannot end by both abort and reset",
		`{"method":"*","reset":true,"message":"x"}`:                  "message: it needs an abort",
		`{` + ok + `,"message":"` + strings.Repeat("x", 1025) + `"}`: "message: has 1025 bytes",
		`{` + ok + `,"after":0}`:                                     "after: 0: expected a number of messages from 1",
		`{` + ok + `,"after":-3}`:                                    "after: -3",
		`{` + ok + `,"after":1000001}`:                               "after: 1000001",
		`{"method":"*","delay":"1s","after":1}`:                      "after: nothing happens then",
		`{` + ok + `,"for":"61m"}`:                                   `for: "61m": expected how long the rule stands, such as 10m, from 1s to 1h0m0s`,
		`{` + ok + `,"for":"1ms"}`:                                   `for: "1ms"`,
		`[{` + ok + `},{"method":"*"},{"method":"x"}]`:               "rule 2: it does nothing",
		`[` + strings.Repeat(`{`+ok+`},`, 32) + `{` + ok + `}` + `]`: "there are 33 rules; at most 32",
	} {
		if rules, err := fault.Parse(text, false); err == nil || !strings.Contains(err.Error(), says) || rules != nil {
			t.Errorf("%.200s: %v, want an error that says %q", text, err, says)
		}
	}
	if _, err := fault.Parse(`{`+ok+`}`, true); err == nil || !strings.Contains(err.Error(), `for: ""`) {
		t.Errorf("without an end: %v", err)
	}
}

func TestRuleMatches(t *testing.T) {
	unary := &contract.Method{Name: "a.b.C/Do"}
	stream := &contract.Method{Name: "a.b.C/List", ServerStreams: true}
	for text, want := range map[string][2]bool{
		`{"method":"*","reset":true}`:                 {true, true},
		`{"method":"a.b.C/*","reset":true}`:           {true, true},
		`{"method":"a.*/L*","reset":true}`:            {false, true},
		`{"method":"a.b.C/Do","reset":true}`:          {true, false},
		`{"method":"a.b.C/D","reset":true}`:           {false, false},
		`{"method":"*","reset":true,"after":1}`:       {false, true},
		`{"method":"*/*","reset":true,"peer":"web*"}`: {true, true},
	} {
		r := parse(t, text)[0]
		if got := [2]bool{r.MatchMethod(unary), r.MatchMethod(stream)}; got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
	r := parse(t, `{"method":"*","reset":true,"peer":"web*"}`)[0]
	for id, want := range map[string]bool{"spiffe://d/web1": true, "spiffe://e/web1": false, "spiffe://d/x": false, "": false} {
		if got := r.MatchPeer(contract.Caller{ID: id}, "d"); got != want {
			t.Errorf("%q: got %t", id, got)
		}
	}
}

// What is accepted can be written, and read again as the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`{"method":"*","reset":true}`, `[{"method":"a.b.C/*","peer":"user:x","ratio":0.25,"delay":"1ms","abort":"UNAVAILABLE","message":"é"}]`,
		`{"method":"a/b","abort":"ABORTED","after":3,"for":"1h"}`, `[]`, `[null]`, `{"ratio":1e-300,"method":"*","abort":"INTERNAL"}`, `[{}`,
	} {
		f.Add(text, false)
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, mustEnd bool) {
		rules, err := fault.Parse(text, mustEnd)
		if err != nil {
			if rules != nil {
				t.Errorf("%q: rules and an error", text)
			}
			return
		}
		for _, r := range rules {
			if !(r.Ratio > 0 && r.Ratio <= 1) || r.Delay < 0 || r.Delay == 0 && !r.Ends() || r.After < 0 || mustEnd && r.For == 0 {
				t.Errorf("%q: accepted %+v", text, r)
			}
			again, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if same, err := fault.Parse(string(again), mustEnd); err != nil || same[0].String() != r.String() {
				t.Errorf("%q: written as %s, read as %v, %v", text, again, same, err)
			}
		}
	})
}
