// Package eventtest reads server-sent events for tests, as the HTML standard has clients do it.
package eventtest

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// Event is what a client dispatches.
type Event struct{ Name, ID, Data string }

// Reader is a client. Its fields are the client's state after what was read so far.
type Reader struct {
	LastID   string
	Retry    time.Duration // the last one that was sent
	Comments []string

	lines *bufio.Reader
	skip  bool // the line ended with CR: a LF that follows belongs to it
	begun bool
	id    string
}

// New returns a reader of r.
func New(r io.Reader) *Reader { return &Reader{lines: bufio.NewReader(r)} }

// Next returns the next event. Its error is io.EOF at the end of the stream. An event without its
// blank line is dropped, as by browsers.
func (r *Reader) Next() (Event, error) {
	var e Event
	var data strings.Builder
	for {
		line, err := r.line()
		if err != nil {
			return Event{}, err
		}
		if line == "" {
			r.LastID = r.id
			if data.Len() == 0 {
				e.Name = ""
				continue
			}
			e.Data, e.ID = strings.TrimSuffix(data.String(), "\n"), r.LastID
			if e.Name == "" {
				e.Name = "message"
			}
			return e, nil
		}
		field, value, found := strings.Cut(line, ":")
		if found && field == "" {
			r.Comments = append(r.Comments, value)
			continue
		}
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			e.Name = value
		case "data":
			data.WriteString(value + "\n")
		case "id":
			if !strings.Contains(value, "\x00") {
				r.id = value
			}
		case "retry":
			if ms, err := strconv.ParseUint(value, 10, 32); err == nil && strings.Trim(value, "0123456789") == "" {
				r.Retry = time.Duration(ms) * time.Millisecond
			}
		}
	}
}

// All returns the events up to the end of the stream, and the error of that unless it is io.EOF.
func (r *Reader) All() (all []Event, err error) {
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
}

// line returns the next line without its end, which is CR, LF or both. A line without an end is
// none.
func (r *Reader) line() (string, error) {
	var b strings.Builder
	for {
		c, _, err := r.lines.ReadRune()
		switch {
		case err != nil:
			return "", err
		case !r.begun && c == '\uFEFF':
			r.begun = true
			continue
		}
		r.begun = true
		skip := r.skip
		r.skip = c == '\r'
		switch {
		case c == '\n' && skip:
		case c == '\n', c == '\r':
			return b.String(), nil
		default:
			b.WriteRune(c)
		}
	}
}
