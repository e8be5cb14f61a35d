package differential

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
)

// difference is one aspect of an answer in which the sides differ.
type difference struct{ aspect, reference, chassis string }

func (d difference) String() string {
	return fmt.Sprintf("%s: %s -> %s", d.aspect, cut(d.reference, 600), cut(d.chassis, 600))
}

// framing are headers that say how an answer travels, or when: they are not the service's.
var framing = []string{"Content-Length", "Date", "Transfer-Encoding", "Connection"}

// differences returns how the chassis's answer differs from the reference's.
func differences(reference, chassis *answer) []difference {
	var found []difference
	note := func(aspect, a, b string) {
		if a != b {
			found = append(found, difference{aspect, a, b})
		}
	}
	note("status", fmt.Sprint(reference.status), fmt.Sprint(chassis.status))
	noteHeaders(note, "header", reference.header, chassis.header)
	noteHeaders(note, "trailer", reference.trailer, chassis.trailer)
	failed := noteBodies(note, reference, chassis)
	received := append(slices.Clone(reference.received), chassis.received...)
	if !failed || !slices.ContainsFunc(received, ofClientStream) {
		note("received", strings.Join(reference.received, " | "), strings.Join(chassis.received, " | "))
	}
	return found
}

// ofClientStream reports whether a method reads a stream. How much of it the handler has read when
// the call fails is chance.
func ofClientStream(received string) bool {
	method, _, _ := strings.Cut(received, " ")
	return method == "Collect" || method == "Chat" || method == "Uploads"
}

func noteHeaders(note func(aspect, a, b string), kind string, a, b http.Header) {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b)) // either may be nil
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if !slices.Contains(framing, name) {
			note(kind+" "+name, values(a, name), values(b, name))
		}
	}
}

func values(h http.Header, name string) string {
	if _, ok := h[name]; !ok {
		return "absent"
	}
	return fmt.Sprintf("%q", h[name])
}

// noteBodies compares bodies as JSON where they are JSON. Errors are compared by code, text and
// details, in whatever form each side sends them: as a body, or as the last line of a stream. Where
// one side alone fails, that is the difference. It reports whether a side has failed.
func noteBodies(note func(aspect, a, b string), reference, chassis *answer) (failed bool) {
	a, b := split(reference.body), split(chassis.body)
	status, problem := last(a, reference.status, statusOf), last(b, chassis.status, problemOf)
	switch {
	case status != nil && problem != nil:
		note("error code", status.code, problem.code)
		note("error text", status.text, problem.text)
		note("error details", status.details, problem.details)
		note("body", strings.Join(a[:len(a)-1], " "), strings.Join(b[:len(b)-1], " "))
	case status != nil || problem != nil:
		note("error", status.String(), problem.String())
	default:
		note("body", strings.Join(a, " "), strings.Join(b, " "))
	}
	return status != nil || problem != nil || reference.status >= 400 || chassis.status >= 400
}

// last reads the last value of a body as an error.
func last(values []string, status int, read func(int, string) *failure) *failure {
	if len(values) == 0 {
		return nil
	}
	return read(status, values[len(values)-1])
}

// failure is an error as either side sends it.
type failure struct{ code, text, details string }

func (f *failure) String() string {
	if f == nil {
		return "none"
	}
	return f.code + ", " + f.text
}

// statusOf reads a google.rpc.Status.
func statusOf(status int, body string) *failure {
	type message struct {
		Code    *int32          `json:"code"`
		Message string          `json:"message"`
		Details json.RawMessage `json:"details"`
	}
	var line struct {
		message
		Error message `json:"error"`
	}
	if json.Unmarshal([]byte(body), &line) != nil {
		return nil
	}
	found := line.message
	if line.Error.Code != nil {
		found = line.Error
	} else if status < 400 {
		return nil
	}
	if found.Code == nil {
		return nil
	}
	return &failure{code: code.Code(*found.Code).String(), text: found.Message, details: cmp.Or(string(found.Details), "[]")}
}

// problemOf reads a problem of RFC 9457, as docs/decisions/0005-problem-details.md has it.
func problemOf(_ int, body string) *failure {
	type problem struct {
		Title  string          `json:"title"`
		Code   string          `json:"code"`
		Detail string          `json:"detail"`
		Errors json.RawMessage `json:"errors"`
	}
	var line struct {
		problem
		Error problem `json:"error"`
	}
	if json.Unmarshal([]byte(body), &line) != nil {
		return nil
	}
	found := cmp.Or(line.Error.Title, line.Title)
	if found == "" {
		return nil
	}
	if line.Error.Title != "" {
		line.problem = line.Error
	}
	return &failure{code: line.Code, text: errorID.ReplaceAllString(line.Detail, "id ID"), details: cmp.Or(string(line.Errors), "[]")}
}

// errorID is what an internal error can be found by in the log.
var errorID = regexp.MustCompile(`\bid [0-9a-f]{16}\b`)

// address is that of a side, which its handlers see.
var address = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)

// split returns the JSON values of a body, each without blanks and with sorted keys. What is no
// JSON is one value.
func split(body []byte) []string {
	body = address.ReplaceAll(body, []byte("ADDRESS"))
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var lines []string
	for {
		var value any
		err := decoder.Decode(&value)
		if err == io.EOF { //nolint:errorlint // decoders return the value itself
			return lines
		}
		if err != nil {
			return []string{fmt.Sprintf("%q", body)}
		}
		line, err := json.Marshal(value)
		if err != nil {
			return []string{fmt.Sprintf("%q", body)}
		}
		lines = append(lines, string(line))
	}
}
