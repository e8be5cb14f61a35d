package inbound

// Leave has HTTP/1 clients go elsewhere with their next request: answers close their connections from now on. No call
// is refused for overload any more: a service that stops serves what still comes.
func (s *Server) Leave() {
	s.leaving.Store(true)
	s.cfg.Admission.Open()
	s.obs.resources.open()
}

// EndStreams ends the streaming calls that run, and those that still come, and returns how many there were. Their
// clients get UNAVAILABLE at once, and what their handlers wait for ends: contexts, whose [context.Cause] is that
// status, Recv and Send. Streams that the client alone sends are left alone unless uploads is true. Unary calls go
// on. Connections that HTTP handlers have taken over, as for WebSockets, are streams both ways: they are closed.
func (s *Server) EndStreams(uploads bool) (ended int) { return endStreams(s, uploads) }

// Cut says that the connections are closed next, at the end of the time of a stop: calls that end because of it count
// as UNAVAILABLE and as refused for [ReasonShutdown], and not as given up by their callers. HTTP requests that run are
// answered with 503 in the place of their handlers, unless their answer has begun, or a plain handler has its header,
// to which it may write at any moment: their connections are closed without an answer. It returns how many were. The
// answers have left the handlers' side by then; by HTTP/2 they need a moment more to leave the process.
func (s *Server) Cut() (answered int) { return cutAll(s) }

// Drain tells the calls that run, and those that still come, that the service is about to stop: see Draining.
// Further calls do nothing.
func (s *Server) Drain() { s.drain.Do(func() { close(s.draining) }) }
