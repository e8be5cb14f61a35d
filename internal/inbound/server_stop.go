package inbound

// Leave makes HTTP/1 clients use another connection for their next request: answers close their
// connections from now on. No call is refused for overload any more, because a service that stops
// serves the calls that still arrive.
func (s *Server) Leave() {
	s.leaving.Store(true)
	s.cfg.Admission.Open()
	s.resources.open()
}

// EndStreams ends running and later streams, and returns how many were running. Their clients get
// UNAVAILABLE at once, and their handlers are interrupted: Recv and Send fail, and contexts end
// with that status as their [context.Cause]. Streams on which only the client sends are ended
// only if uploads is true. Unary calls go on. Hijacked connections, such as WebSockets, count as
// streams in both directions and are closed.
func (s *Server) EndStreams(uploads bool) (ended int) { return endStreams(s, uploads) }

// Cut prepares for closing all connections at the end of a stop. Calls that end because of it
// count as UNAVAILABLE and as refused for [ReasonShutdown], and not as cancelled by their
// callers. Running HTTP requests are answered with 503 in place of their handlers; it returns how
// many. If the answer has begun, or a plain handler has its header and may write at any moment,
// the connection is closed without an answer. By HTTP/2, the answers need a moment more to leave
// the process.
func (s *Server) Cut() (answered int) { return cutAll(s) }

// Drain notifies running and later calls that the service is about to stop; see Draining. Further
// calls do nothing.
func (s *Server) Drain() { s.drain.Do(func() { close(s.draining) }) }
