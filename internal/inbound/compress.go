package inbound

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// gzips compress answers. A compressor takes 800 KiB and a processor, so there are few at a time:
// an answer that finds none is sent as it is.
type gzips struct {
	pool sync.Pool    // of *gzip.Writer
	busy atomic.Int64 // compressors at work
}

// atOnce is the number of compressors at work for each processor. A second one is for those that
// the system has interrupted.
const atOnce = 2

// compress returns body as gzip, nil if it does not get smaller or no compressor is free.
func (g *gzips) compress(body []byte) []byte {
	defer g.busy.Add(-1)
	if g.busy.Add(1) > int64(atOnce*runtime.GOMAXPROCS(0)) {
		return nil
	}
	out := bytes.NewBuffer(make([]byte, 0, len(body)/2))
	w, ok := g.pool.Get().(*gzip.Writer)
	if !ok {
		w, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // which is a level
	}
	w.Reset(out)
	_, err := w.Write(body)
	if err != nil || w.Close() != nil || out.Len() >= len(body) { // a buffer returns no error
		return nil
	}
	g.pool.Put(w)
	return out.Bytes()
}

// compressed returns the compressed form of an answer, and sets the header that it needs. It
// returns nil if the answer should be sent as it is: it is small, not JSON or not complete, the
// caller does not ask for it, or compression could do harm.
func compressed(h *httpCall, header http.Header, body []byte) []byte {
	least := h.server.cfg.CompressFrom
	if least <= 0 || len(body) < least || !compressible(header, len(body)) {
		return nil
	}
	header["Vary"] = append(header["Vary"], "Accept-Encoding") // also where the answer is not compressed: the next one may be
	if !acceptsGzip(h.request.Header["Accept-Encoding"]) || measurable(h) {
		return nil
	}
	smaller := h.server.gzips.compress(body)
	if smaller != nil {
		header["Content-Encoding"] = []string{"gzip"}
		header["Content-Length"] = []string{strconv.Itoa(len(smaller))}
	}
	return smaller
}

// compressible reports whether an answer of size bytes is complete JSON that may be changed on
// its way. A strong ETag names the bytes as they are: a caller compares it in If-Match.
func compressible(header http.Header, size int) bool {
	length, types := header["Content-Length"], header["Content-Type"]
	switch {
	case len(length) != 1 || length[0] != strconv.Itoa(size):
		return false
	case len(types) != 1 || types[0] != "application/json" && !isJSON(types[0]):
		return false
	case header["Content-Encoding"] != nil || strings.HasPrefix(header.Get("Etag"), `"`):
		return false
	}
	return !strings.Contains(strings.ToLower(header.Get("Cache-Control")), "no-transform")
}

// measurable reports whether a page of another site, which must not read the answer, makes the
// request. Its size would tell such a page whether the page has guessed a part of it (BREACH).
func measurable(h *httpCall) bool {
	switch h.request.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return !h.mayRead
}

// acceptsGzip reports whether the values of Accept-Encoding prefer gzip to no encoding (RFC 9110
// section 12.5.3).
func acceptsGzip(values []string) bool {
	gzipped, identity, others := -1, -1, -1 // thousandths; -1 where it is not listed
	for _, value := range values {
		for range maxCodings {
			if value == "" {
				break
			}
			var part string
			part, value, _ = strings.Cut(value, ",")
			coding, weight := parseCoding(part)
			switch {
			case strings.EqualFold(coding, "gzip"), strings.EqualFold(coding, "x-gzip"):
				gzipped = max(gzipped, weight)
			case strings.EqualFold(coding, "identity"):
				identity = weight
			case coding == "*":
				others = weight
			}
		}
	}
	if gzipped < 0 {
		gzipped = others
	}
	return gzipped > 0 && gzipped >= identity
}

// maxCodings is the number of codings in a value that are read.
const maxCodings = 32

// parseCoding splits "gzip;q=0.8" into the coding and its weight in thousandths. A weight that
// cannot be read counts as 0.
func parseCoding(part string) (coding string, weight int) {
	coding, parameter, weighted := strings.Cut(part, ";")
	coding = strings.TrimSpace(coding)
	if !weighted {
		return coding, 1000
	}
	name, value, _ := strings.Cut(parameter, "=")
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if !strings.EqualFold(strings.TrimSpace(name), "q") || err != nil || !(q >= 0 && q <= 1) { // not NaN
		return coding, 0
	}
	return coding, int(q * 1000)
}
