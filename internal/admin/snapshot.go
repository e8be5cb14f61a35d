package admin

import "time"

// Snapshot is the state of a service at one moment, as the pages show it and
// /debug/status.json hands it out. Every string is shown escaped, so error
// texts may be put in as they are; secrets must be masked before. Empty parts
// are left out of the page. The handler only reads it.
type Snapshot struct {
	Service     string    `json:"service"`
	Version     string    `json:"version,omitempty"`
	Environment string    `json:"environment,omitempty"`
	Instance    string    `json:"instance,omitempty"` // host or pod
	Identity    string    `json:"identity,omitempty"` // the SPIFFE ID it proves to others
	Phase       string    `json:"phase"`              // starting, serving, draining or stopping
	Ready       bool      `json:"ready"`
	Started     time.Time `json:"started,omitzero"`

	Unprotected  []string      `json:"unprotected,omitempty"` // protections that are off, in words
	Addresses    []KV          `json:"addresses,omitempty"`   // "gRPC" -> "[::]:9000"
	Build        []KV          `json:"build,omitempty"`       // Go and module versions, revision, commit time
	Methods      []Method      `json:"methods,omitempty"`
	Load         []KV          `json:"load,omitempty"` // how many calls run and wait
	Checks       []Check       `json:"checks,omitempty"`
	Certificates []Certificate `json:"certificates,omitempty"`
	Workers      []Worker      `json:"workers,omitempty"`
	Settings     []Setting     `json:"settings,omitempty"`
	Faults       []Fault       `json:"faults,omitempty"` // injected, in the order in which they were set
	Events       []Event       `json:"events,omitempty"` // oldest first
}

// KV is one line of a list of facts.
type KV struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Method is one registered RPC method.
type Method struct {
	Name     string        `json:"name"`           // "acme.hello.v1.HelloService/SayHello"
	Kind     string        `json:"kind,omitempty"` // "unary", "server stream", ...
	Deadline time.Duration `json:"deadline_ns"`    // 0: none
	Callers  []string      `json:"callers,omitempty"`
	Promises []string      `json:"promises,omitempty"` // objectives: "99.9 % available"
	// Overridden says that an operator's override holds for the method.
	Overridden bool     `json:"overridden,omitempty"`
	Routes     []string `json:"routes,omitempty"`  // "GET /v1/hello/{name}"
	Traffic    *Traffic `json:"traffic,omitempty"` // nil: not counted
}

// Traffic is what a method has served since the start.
type Traffic struct {
	Calls    uint64 `json:"calls"`
	Failed   uint64 `json:"failed"`
	InFlight int64  `json:"in_flight"`
}

// Check is one health check.
type Check struct {
	Name      string        `json:"name"`
	State     string        `json:"state"` // up, degraded, down or unknown
	Hard      bool          `json:"hard"`  // whether the service is not ready while it is down
	Since     time.Time     `json:"since,omitzero"`
	LastRun   time.Time     `json:"last_run,omitzero"`
	Duration  time.Duration `json:"duration_ns"` // of the last run
	LastError string        `json:"last_error,omitempty"`
}

// Certificate is one the service shows or trusts.
type Certificate struct {
	Use       string    `json:"use"` // "own" or "trusted"
	Subject   string    `json:"subject"`
	ID        string    `json:"id,omitempty"` // the SPIFFE ID in it
	Serial    string    `json:"serial,omitempty"`
	Issuer    string    `json:"issuer,omitempty"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
}

// Worker is one supervised worker.
type Worker struct {
	Name      string `json:"name"`
	State     string `json:"state"` // running, restarting, stopped or failed
	Restarts  int    `json:"restarts"`
	LastError string `json:"last_error,omitempty"`
}

// Fault is one rule by which calls fail on purpose.
type Fault struct {
	ID    int       `json:"id"`
	Rule  string    `json:"rule"` // "10% of acme.v1.Wallet/*: 200ms late"
	By    string    `json:"by"`   // who has set it
	Until time.Time `json:"until,omitzero"`
}

// Setting is one effective setting.
type Setting struct {
	Name    string `json:"name"`
	Value   string `json:"value"`  // already masked where it is secret
	Origin  string `json:"origin"` // "default", "environment", ...
	Default string `json:"default,omitempty"`
	Meaning string `json:"meaning,omitempty"`
}

// Event is one step of starting or stopping.
type Event struct {
	Time     time.Time     `json:"time"`
	Name     string        `json:"name"`
	Detail   string        `json:"detail,omitempty"`
	Duration time.Duration `json:"duration_ns,omitempty"` // 0: not measured
	Error    string        `json:"error,omitempty"`
}
