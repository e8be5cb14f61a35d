package inbound

import "time"

// reportLoad adds the server's load to the trailer of an answer, at most once per interval
// loadPause.
func reportLoad(c *call, out outcome, elapsed time.Duration) {
	l := &c.method.server.obs.load
	l.count(c.reason(), out.code)
	if c.http != nil {
		return
	}
	if report := l.report(c.start.Add(elapsed)); report != nil {
		c.stream.SetTrailer(report)
	}
}
