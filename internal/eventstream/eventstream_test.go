package eventstream_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/betmakers/paddock/internal/eventstream"
	"github.com/betmakers/paddock/internal/eventstream/eventtest"
)

func ExampleEvent_Append() {
	fmt.Printf("%s", eventstream.Event{Name: "error", ID: "7", Retry: 2 * time.Second, Data: []byte("a\nb")}.Append(nil))
	// Output:
	// event: error
	// id: 7
	// retry: 2000
	// data: a
	// data: b
}

func TestAppend(t *testing.T) {
	for name, test := range map[string]struct {
		event eventstream.Event
		want  string
	}{
		"data":                {eventstream.Event{Data: []byte(`{"a":1}`)}, "data: {\"a\":1}\n\n"},
		"empty data":          {eventstream.Event{Data: []byte{}}, "data: \n\n"},
		"no data":             {eventstream.Event{Retry: time.Second}, "retry: 1000\n\n"},
		"every end of a line": {eventstream.Event{Data: []byte("a\r\nb\rc\nd\n")}, "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"},
		"a field in the data": {eventstream.Event{Data: []byte("a\n\nevent: x\nid: 1")}, "data: a\ndata: \ndata: event: x\ndata: id: 1\n\n"},
		"not UTF-8":           {eventstream.Event{Data: []byte("a\xff\nb")}, "data: a\uFFFD\ndata: b\n\n"},
		"id with a line":      {eventstream.Event{ID: "1\nevent: x", Data: []byte("a")}, "data: a\n\n"},
		"id with a null":      {eventstream.Event{ID: "1\x00", Data: []byte("a")}, "data: a\n\n"},
		"id not UTF-8":        {eventstream.Event{ID: "\xff", Data: []byte("a")}, "data: a\n\n"},
		"id with blanks":      {eventstream.Event{ID: " 1", Data: []byte("a")}, "data: a\n\n"},
		"id of other letters": {eventstream.Event{ID: "ä 1", Data: []byte("a")}, "id: ä 1\ndata: a\n\n"},
		"retry below 1 ms":    {eventstream.Event{Retry: time.Microsecond, Data: []byte("a")}, "data: a\n\n"},
	} {
		if got := string(test.event.Append([]byte("x"))); got != "x"+test.want {
			t.Errorf("%s: got %q, want %q", name, got, "x"+test.want)
		}
	}
}

// FuzzAppend compares what a client reads with what was written, between two other events.
func FuzzAppend(f *testing.F) {
	f.Add("", "", "")
	f.Add("end", "12", "{}")
	f.Add("a", "b\r", "\r\n\n\r: data: \xff\u2028\x00")
	f.Fuzz(func(t *testing.T, name, id, data string) {
		name = strings.Map(func(r rune) rune {
			if r == '\r' || r == '\n' || r == utf8.RuneError {
				return -1
			}
			return r
		}, name)
		fence := eventstream.Event{Name: "fence", Data: []byte("-")}
		text := fence.Append(nil)
		text = eventstream.Event{Name: name, ID: id, Data: []byte(data)}.Append(text)
		text = fence.Append(append(text, eventstream.Heartbeat...))
		if !utf8.Valid(text) {
			t.Fatalf("%q is no UTF-8", text)
		}
		if !eventstream.IsID(id) {
			id = ""
		}
		if name == "" {
			name = "message"
		}
		lines := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(data)
		for i, line := range strings.Split(lines, "\n") {
			if i == 0 {
				lines = ""
			} else {
				lines += "\n"
			}
			lines += strings.ToValidUTF8(line, "\uFFFD")
		}
		want := []eventtest.Event{{Name: "fence", Data: "-"}, {Name: name, ID: id, Data: lines}, {Name: "fence", ID: id, Data: "-"}}
		got, err := eventtest.New(strings.NewReader(string(text))).All()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, %v\nwant %q\nof %q", got, err, want, text)
		}
	})
}

func TestAccepted(t *testing.T) {
	const ndjson = "application/x-ndjson"
	for header, want := range map[string]bool{
		"text/event-stream":                             true,
		"Text/Event-Stream; charset=utf-8":              true,
		"text/event-stream, */*;q=0.1":                  true,
		"application/json, text/event-stream":           true,
		"text/event-stream;q=0.2":                       true,
		"application/x-ndjson, text/event-stream":       true,
		"application/x-ndjson;q=0.5, text/event-stream": true,
		"application/x-ndjson, text/event-stream;q=0.9": false,
		"text/event-stream;q=0":                         false,
		"text/event-stream;q=2":                         false,
		"text/event-stream;q=NaN":                       false,
		"*/*":                                           false,
		"text/*":                                        false,
		"":                                              false,
		",;,":                                           false,
		"text/event-streams":                            false,
	} {
		if got := eventstream.Accepted([]string{header}, ndjson); got != want {
			t.Errorf("%q: got %v, want %v", header, got, want)
		}
	}
	if eventstream.Accepted([]string{strings.Repeat(",", 16<<10) + "text/event-stream"}, ndjson) {
		t.Error("16,384 media ranges are read")
	}
	if !eventstream.Accepted([]string{"text/html", "text/event-stream"}, ndjson) || eventstream.Accepted(nil, ndjson) {
		t.Error("two headers are one list, and none is none")
	}
}

func FuzzAccepted(f *testing.F) {
	f.Add("text/event-stream;q=0.5, */*")
	f.Fuzz(func(t *testing.T, header string) {
		if eventstream.Accepted([]string{header}, "application/x-ndjson") && !strings.Contains(strings.ToLower(header), "event-stream") {
			t.Errorf("%q", header)
		}
	})
}
