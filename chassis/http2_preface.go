package chassis

import "sync/atomic"

// preface recognizes a connection that begins with HTTP/2, which net/http does not report for a
// connection without TLS.
type preface struct {
	seen atomic.Int32 // bytes of prefaceStart that have come; -1 if the connection began otherwise
}

// prefaceStart begins every HTTP/2 connection (RFC 9113 section 3.4), and no HTTP/1 request.
const prefaceStart = "PRI * HTTP/2"

// read notes what was read. Only the reader of the connection calls it.
func (p *preface) read(part []byte) {
	seen := p.seen.Load()
	if seen < 0 || seen == int32(len(prefaceStart)) || len(part) == 0 {
		return
	}
	expected := prefaceStart[seen:]
	part = part[:min(len(part), len(expected))]
	if string(part) != expected[:len(part)] {
		p.seen.Store(-1)
		return
	}
	p.seen.Store(seen + int32(len(part))) //nolint:gosec // at most the length of prefaceStart
}

func (p *preface) complete() bool { return p.seen.Load() == int32(len(prefaceStart)) }
