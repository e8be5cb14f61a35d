package differential

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/betmakers/paddock/conformance/internal/known"
	"github.com/betmakers/paddock/conformance/internal/report"
)

const list = "differences.txt"

// counts are those of a set of requests.
type counts struct {
	requests, equal int
	differences     map[string]int // by section
	unknown         int
}

// hold sends requests to both sides and holds what differs against the list.
func (p *pair) hold(t *testing.T, differences *known.List, requests []request) counts {
	t.Helper()
	c := counts{requests: len(requests), differences: map[string]int{}}
	for _, r := range requests {
		sections := map[string]bool{}
		for _, d := range p.compare(t, r) {
			section, ok := differences.Explain(r.String(), d.String())
			if !ok {
				section = "unknown"
				if c.unknown++; c.unknown <= 100 {
					t.Errorf("%s\n\t%s", r, d)
				}
			}
			sections[section] = true
		}
		if delete(sections, everywhere); len(sections) == 0 {
			c.equal++
		}
		for section := range sections {
			c.differences[section]++
		}
	}
	return c
}

// everywhere is the section of what differs in all answers: their requests count as equal.
const everywhere = "everywhere"

// The table and generated requests: nothing differs but what is on the list, and all that is on the
// list is needed by the table. SEED is another seed of the generator, and REQUESTS another number.
func TestDifferential(t *testing.T) {
	p, differences := startPair(t), known.Read(t, list)
	counted := new(report.Table)
	counted.Row("requests", "sent", "equal", "intended", "to be removed", "open", "unknown")
	add := func(name string, c counts) {
		counted.Row(name, c.requests, c.equal, c.differences["intended"], c.differences["to be removed"], c.differences["open"], c.unknown)
	}
	add("by hand", p.hold(t, differences, table()))
	add("templates", holdStarts(t, differences))
	differences.CheckUsed(t)

	generated := 300
	if report.Long() {
		generated = 5000
	}
	generated = number(t, "REQUESTS", generated)
	seed := number(t, "SEED", 1)
	add("generated, seed "+strconv.Itoa(seed), p.hold(t, differences, newGenerator(uint64(seed)).requests(generated)))
	counted.Write(t, "Differential: the chassis against grpc-gateway over grpc-go")
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s is %q, and must be a number", name, text)
	}
	return n
}

// holdStarts starts services with templates that the gateway serves, one by one, so that a start
// which is refused is a difference like others.
func holdStarts(t *testing.T, differences *known.List) counts {
	t.Helper()
	c := counts{differences: map[string]int{}}
	for _, started := range starts() {
		t.Run(started.name, func(t *testing.T) {
			p := &pair{reference: startReference(t, []part{started.part}), client: startClient(t)}
			var err error
			if p.chassis, err = tryChassis(t, []part{started.part}); err == nil {
				one := p.hold(t, differences, started.requests)
				c.requests += one.requests
				c.equal += one.equal
				c.unknown += one.unknown
				for _, section := range slices.Collect(maps.Keys(one.differences)) {
					c.differences[section] += one.differences[section]
				}
				return
			}
			c.requests++
			section, ok := differences.Explain("start "+started.name, err.Error())
			if !ok {
				c.unknown++
				t.Errorf("the start is refused: %v", err)
			}
			c.differences[section]++
		})
	}
	return c
}

// A request is what its seed makes, in every run.
func TestGenerator(t *testing.T) {
	a, b := newGenerator(7).requests(200), newGenerator(7).requests(200)
	other := newGenerator(8).requests(200)
	same := 0
	for i := range a {
		if a[i].String() != b[i].String() {
			t.Fatalf("request %d is %s, and then %s", i, a[i], b[i])
		}
		if a[i].String() == other[i].String() {
			same++
		}
	}
	if same > 20 {
		t.Errorf("%d of 200 requests are the same with another seed", same)
	}
}

func FuzzTarget(f *testing.F) {
	p, differences := startPair(f), known.Read(f, list)
	for _, r := range append(routeRequests(), escapeRequests()...) {
		f.Add(r.target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		p.hold(t, differences, []request{get(target)})
	})
}

func FuzzBody(f *testing.F) {
	p, differences := startPair(f), known.Read(f, list)
	targets := []string{"/v1/everything", "/v1/collect", "/v1/chat", "/v1/replace/texts", "/v1/replace/labels", "/v1/document", "/v1/anything", "/v1/legacy", "/v1/update/x"}
	for _, r := range append(bodyRequests(), messageRequests()...) {
		if at := slices.Index(targets, r.target); at >= 0 && len(r.body) < 1000 {
			f.Add(uint8(at), r.chunked, r.body)
		}
	}
	f.Fuzz(func(t *testing.T, target uint8, chunked bool, body string) {
		r := post(targets[int(target)%len(targets)], body)
		if r.target == "/v1/update/x" {
			r.method = "PATCH"
		}
		r.chunked = chunked
		p.hold(t, differences, []request{r})
	})
}
