package chassis

import (
	"testing"

	"github.com/betmakers/paddock/internal/contract"
	"github.com/betmakers/paddock/internal/inbound"
)

// The printed commands are of the first method that the one who copies them may call. If there is
// none, they say who may.
func TestMethodToTry(t *testing.T) {
	method := func(name string, public bool, callers ...string) *inbound.Method {
		m := &contract.Method{Name: name, FullMethod: "/" + name, Public: public}
		for _, caller := range callers {
			p, err := contract.ParsePattern(caller)
			if err != nil {
				t.Fatal(err)
			}
			m.Callers = append(m.Callers, p)
		}
		return &inbound.Method{Method: m}
	}
	closed, own, public := method("Closed", false, "web"), method("Own", false), method("Public", true)
	developer := contract.Caller{ID: "spiffe://development.paddock.internal/developer"}
	for name, test := range map[string]struct {
		methods    []*inbound.Method
		caller     contract.Caller
		authorizes string
		want       *inbound.Method
		refused    string
	}{
		"a developer":       {[]*inbound.Method{closed, own, public}, developer, authorizationEnforce, own, ""},
		"a browser":         {[]*inbound.Method{closed, own, public}, contract.Caller{}, authorizationEnforce, public, ""},
		"no one, in audit":  {[]*inbound.Method{closed, own}, contract.Caller{}, authorizationAudit, closed, ""},
		"only those listed": {[]*inbound.Method{closed}, developer, authorizationEnforce, closed, "   # is refused: open to web"},
		"no method":         {nil, developer, authorizationEnforce, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			chain, err := inbound.NewServer(inbound.Config{})
			if err != nil {
				t.Fatal(err)
			}
			chain.SetTrustDomain("development.paddock.internal")
			cfg := &configuration{}
			cfg.Authorization = test.authorizes
			m, refused := (&debugPage{chain: chain, cfg: cfg}).toTry(test.methods, test.caller)
			if m != test.want || refused != test.refused {
				t.Errorf("got %v, %q, want %v, %q", m, refused, test.want, test.refused)
			}
		})
	}
}
