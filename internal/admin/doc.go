// Package admin is the HTTP handler of a service's admin port.
//
// Two kinds of path live on that port. The probes (/livez, /readyz, /startupz)
// and /metrics answer anyone, because the kubelet and Prometheus have no
// identity to show. Everything under /debug tells or does more than a stranger
// may know or do, and is guarded:
//
//	/debug/                 the service at a glance, for people
//	/debug/status.json      the same facts, for programs
//	/debug/config           the effective settings, secrets masked
//	/debug/authorize        whether a caller may call a method, and why
//	/debug/log-level        GET shows it, PUT or POST changes it, for a while or for good, if Config.MayChange agrees
//	/debug/faults           GET shows the injected faults, POST sets some for a while (Config.MayChange), DELETE ends them
//	/debug/flight           the last seconds of the execution trace, as a file
//	/debug/pprof/           the profiles of net/http/pprof, bounded in time
//
// # The guard
//
// A request for /debug is let in if it comes from a loopback address, or if
// Config.Allow vouches for it (by the certificate it presented, when the port
// speaks mutual TLS). A kubectl port-forward arrives as loopback. Being
// loopback is not enough by itself, because others can speak through a program
// on this machine:
//
//   - a proxy or a mesh's sidecar hands on strangers' requests: a request that
//     carries a forwarding header is refused, and nothing in it is believed. A
//     proxy that adds no header cannot be told from a neighbour: where one runs,
//     Config.NotLocal closes /debug to loopback;
//   - a page in the developer's browser can point a name of its own at
//     127.0.0.1 (DNS rebinding): the Host has to be localhost or a loopback
//     address;
//   - a page in the developer's browser can post a form here, or load an
//     address, without asking: what a browser marks as coming from another
//     origin is refused, reads included. Following a link to one of the two
//     pages is allowed, since nothing happens there and the page that holds
//     the link can see nothing.
//
// A refusal says which of these it was and what to do instead, and is logged
// whatever the log's level is.
//
// # What the package does not know
//
// It gets plain data ([Snapshot]) and plain handlers, and neither listens nor
// imports the parts of the chassis it shows. The pages need no script, and
// nothing from elsewhere.
package admin
