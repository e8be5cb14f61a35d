package chassis_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	vaultv1 "github.com/betmakers/paddock/chassis/internal/proto/vault/v1"
)

// The table of docs/access.md: each identity, by each way in, with each body. It is made of what
// real servers answer over loopback, in production's settings, and the test fails where the page
// says something else.
//
// What is read before the decision is seen from both ends. A client announces a body, sends none of
// it, and is answered: then the answer was made without it. Another sends all of it, and the server
// counts what it takes off the connection.

// The identities. Each may have a certificate, a token, or both.
type accessIdentity struct {
	name    string
	as      string // of the certificate, empty for none
	token   string
	expires bool // the certificate has expired since the connection was made
}

var accessIdentities = []accessIdentity{
	{name: "none"},
	{name: "bad token", token: "guess"},
	{name: "good token", token: "token-alice"},
	{name: "other domain", as: "spiffe://other.example/web"},
	{name: "own domain", as: "web"},
	{name: "own domain and a bad token", as: "web", token: "guess"},
	{name: "expired", as: "web", expires: true},
}

// The bodies.
const (
	bodyNone      = "none"
	bodyLarge     = "4 MB"
	bodyMalformed = "malformed"
)

const (
	largeSize = 4_000_000
	// What a server may have taken of a body that it refuses: what its transport holds for a
	// handler that reads. These are the record of TLS and the buffer of net/http, the windows of
	// HTTP/2 in net/http, and those of grpc-go.
	heldByHTTP1 = 64 << 10
	heldByHTTP2 = 1<<20 + 64<<10
	heldByGRPC  = 128 << 10
)

// way is one way in.
type way struct {
	port, protocol string
	call           func(t *testing.T, c *accessClient, body string, sent bool) string // returns the answer
	held           int64
}

// requestWay is one of HTTP/1.1 or HTTP/2.
func requestWay(port, protocol, method, path string) way {
	held := int64(heldByHTTP1)
	if protocol == "h2" {
		held = heldByHTTP2
	}
	return way{port: port, protocol: protocol, held: held, call: func(t *testing.T, c *accessClient, body string, sent bool) string {
		t.Helper()
		return c.request(t, protocol, method, "https://"+c.addr+path, body, sent)
	}}
}

// accessWays are the ways in. Those of HTTP are asked by both of its protocols, which must answer
// alike.
var accessWays = []struct {
	name  string
	reads bool // a caller that is let in is answered when its body has been read
	by    []way
}{
	{"gRPC, unary", true, overGRPC(vaultv1.VaultService_Store_FullMethodName)},
	{"gRPC, client stream", true, overGRPC(vaultv1.VaultService_Upload_FullMethodName)},
	{"REST, unary", true, overHTTP("http", "POST", "/v1/vault")},
	{"REST, client stream", true, overHTTP("http", "POST", "/v1/upload")},
	{"App.Handle", true, overHTTP("http", "POST", "/handle")},
	{"Admin: probes and metrics", false, overHTTP("admin", "GET", "/livez")},
	{"Debug: pages", false, overHTTP("admin", "GET", "/debug/config")},
	{"Debug: log level", true, overHTTP("admin", "PUT", "/debug/log-level")},
}

func overGRPC(method string) []way {
	return []way{{port: "grpc", protocol: "h2", held: heldByGRPC, call: callWay(method)}}
}

func overHTTP(port, method, path string) []way {
	return []way{requestWay(port, "http/1.1", method, path), requestWay(port, "h2", method, path)}
}

// probe is one attempt on a connection of its own.
type probe struct {
	row    *accessRow
	way    way
	body   string
	sent   bool // the body is sent, and not announced alone
	client *accessClient
	answer string
	read   int64 // what the server took off the connection until it answered
}

// accessRow is one of the table.
type accessRow struct {
	way    string
	reads  bool
	who    accessIdentity
	probes []*probe
}

// refused reports whether an answer is one to a caller that may not call.
func refused(answer string) bool {
	return slices.Contains([]string{"401", "403", "UNAUTHENTICATED", "PERMISSION_DENIED", noConnection}, answer)
}

const noConnection = "no connection"

// What is read before it is decided whether a caller may call, and the answer: nothing, and the
// same one. No other test runs beside it: a connection is cut 10 s after its certificate has ended,
// and all that have one are asked before.
func TestWhatIsReadBeforeTheDecision(t *testing.T) {
	a := startAccess(t)
	rows := accessRows()
	for _, expiring := range []bool{true, false} { // connections whose certificates end are made together, and used when they have
		var probes []*probe
		a.ends = time.Now().Add(lifeOfExpiring).Truncate(time.Second)
		for _, row := range rows {
			if row.who.expires != expiring {
				continue
			}
			probes = append(probes, row.probes...)
			for _, p := range row.probes {
				if expiring {
					p.client = a.connect(t, row.who, p.way)
				}
			}
		}
		if expiring {
			time.Sleep(time.Until(a.ends) + 10*time.Millisecond) // real time: crypto/tls looks at the clock
		}
		a.run(t, probes, func(p *probe) bool { return !p.row.mayCall() })
		if n := a.handled.Load(); n != 0 {
			t.Errorf("%d calls of callers that may not call have reached a handler", n)
		}
		a.run(t, probes, func(p *probe) bool { return p.row.mayCall() && (p.sent || !p.row.reads) })
	}
	page := accessPage(t, rows)
	const file = "../docs/access.md"
	if os.Getenv("PADDOCK_UPDATE") == "1" {
		if err := os.WriteFile(filepath.FromSlash(file), []byte(page), 0o644); err != nil { //nolint:gosec // documentation is for everybody
			t.Error(err)
		}
		return
	}
	if have, err := os.ReadFile(filepath.FromSlash(file)); err != nil || string(have) != page {
		t.Errorf("%s is not what is seen (%v): run the test with PADDOCK_UPDATE=1 and look at what changes. Seen, and not there:\n%s",
			file, err, strings.Join(missing(page, string(have)), "\n"))
	}
}

// missing returns the lines of page that have has elsewhere or not at all.
func missing(page, have string) (lines []string) {
	old := strings.Split(have, "\n")
	for n, line := range strings.Split(page, "\n") {
		if n >= len(old) || old[n] != line {
			lines = append(lines, fmt.Sprint(n+1, ": ", line))
		}
	}
	return lines
}

func accessRows() (rows []*accessRow) {
	for _, w := range accessWays {
		for _, who := range accessIdentities {
			row := &accessRow{way: w.name, reads: w.reads, who: who}
			for _, by := range w.by {
				row.probes = append(row.probes, &probe{row: row, way: by, body: bodyNone, sent: true})
				for _, body := range []string{bodyLarge, bodyMalformed} {
					row.probes = append(row.probes, &probe{row: row, way: by, body: body, sent: true}, &probe{row: row, way: by, body: body})
				}
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// mayCall is what the table is there to show: who is let in by which way.
func (r *accessRow) mayCall() bool {
	switch {
	case strings.HasPrefix(r.way, "Admin"):
		return true
	case r.who.as != "web" || r.who.expires:
		return false
	default:
		return r.who.token == "" || !byTokens(r.way)
	}
}

// byTokens reports whether tokens are looked at.
func byTokens(way string) bool { return strings.HasPrefix(way, "REST") || way == "App.Handle" }

// run makes the attempts that are meant, some at a time.
func (a *access) run(t *testing.T, probes []*probe, meant func(*probe) bool) {
	t.Helper()
	var done sync.WaitGroup
	places := make(chan struct{}, 64)
	for _, p := range probes {
		if !meant(p) {
			continue
		}
		places <- struct{}{}
		if p.client == nil {
			p.client = a.connect(t, p.row.who, p.way)
		}
		done.Go(func() {
			defer func() { <-places }()
			before := p.client.server.read.Load()
			p.answer = p.way.call(t, p.client, p.body, p.sent)
			p.read = p.client.server.read.Load() - before
		})
	}
	done.Wait()
}

// answer returns what the probes of a body have come to, which is the same for all of them.
func (r *accessRow) answer(t *testing.T, body string) string {
	t.Helper()
	answer := ""
	for _, p := range r.probes {
		if p.body != body || p.answer == "" {
			continue
		}
		if answer != "" && answer != p.answer {
			t.Errorf("%s, %s, body %s: by %s, sent %t, the answer is %s, and %s else", r.way, r.who.name, body, p.way.protocol, p.sent, p.answer, answer)
		}
		answer = p.answer
		if refused(answer) == r.mayCall() {
			t.Errorf("%s, %s, body %s: got %s, where the caller may call: %t", r.way, r.who.name, body, answer, r.mayCall())
		}
		if !r.mayCall() && p.read > p.way.held {
			t.Errorf("%s, %s, body %s: %d bytes were taken before the answer %s, want %d at most", r.way, r.who.name, body, p.read, answer, p.way.held)
		}
	}
	return answer
}

// accessPage is docs/access.md.
func accessPage(t *testing.T, rows []*accessRow) string {
	t.Helper()
	var page strings.Builder
	page.WriteString(accessHead)
	way := ""
	for _, row := range rows {
		if row.way != way {
			way = row.way
			fmt.Fprintf(&page, "\n## %s\n\n| caller | no body | 4 MB | malformed | read before the decision |\n|---|---|---|---|---|\n", way)
		}
		read := "nothing"
		if row.mayCall() && row.reads {
			read = "nothing; the body is read behind it"
		}
		fmt.Fprintf(&page, "| %s | %s | %s | %s | %s |\n", row.who.name, row.answer(t, bodyNone), row.answer(t, bodyLarge), row.answer(t, bodyMalformed), read)
	}
	return page.String()
}

const accessHead = `# Who gets in, and what is read first

The test ` + "`TestWhatIsReadBeforeTheDecision`" + ` writes this page. It sends requests to real servers with production settings
over loopback, and fails if an answer differs. [Security](security.md) explains the rules.

A refusal depends only on the connection and the header. For each refused row one client announces the body, sends none
of it, and still gets the answer. Another client sends all of it; before the answer the server reads no more than its
transport buffers for any reader:

| transport | buffered before the answer |
|---|---|
| HTTP/1.1 | 64 KiB |
| HTTP/2 | 1 MiB, the window of net/http |
| gRPC | 128 KiB |

None of it is decompressed or decoded. By HTTP/1.1 the server waits up to a second (2 s on the admin port) for up to 256
KiB of an announced body, because net/http reads and drops them to keep the connection. REST, Handle, admin and debug
are tested by HTTP/1.1 and HTTP/2, with the same answers.

- The method has ` + "`callers: \"web\"`" + `. The handler of App.Handle has the default, the own trust domain.
- "own domain" is ` + "`web`" + `, which ` + "`CHASSIS_DEBUG_CALLERS`" + ` lists. ` + "`CHASSIS_DEBUG_LOOPBACK`" + ` is false; otherwise every client
  on loopback could read ` + "`/debug`" + `.
- "good token" is of a user that no method lists. ` + "`callers: \"user:*\"`" + ` would let it in.
- "expired" has a connection from before its certificate expired. It gets no new one.
`
