package inbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/betmakers/paddock/internal/eventstream"
	"github.com/betmakers/paddock/internal/openapi"
	"github.com/betmakers/paddock/internal/rpcstatus"
)

const (
	// openAfter is the time that the answer to a client of events waits for the handler. Then it
	// begins, so that the client knows that it is connected. An error that comes later is an event.
	openAfter = time.Second
	// endOfStream is the id of the last event of a stream that has ended for good. A client that
	// connects again with it gets 204, which the HTML standard has to end its attempts.
	endOfStream = "end-of-stream"
	// lastEventID is the key of the client's last id in the metadata of a call.
	lastEventID = "last-event-id"
)

// events is the answer to a REST stream whose client asks for server-sent events. All of it is
// written by the request's goroutine.
type events struct {
	http   *httpCall
	out    http.ResponseWriter          // the gateway's
	id     protoreflect.FieldDescriptor // of an answer; nil to count
	count  int64
	after  protoreflect.FieldDescriptor // of the request: gets last; nil for none
	last   protoreflect.Value
	beats  time.Duration // zero for none
	quiet  *time.Timer   // fires when a heartbeat is due; nil for none
	opened bool
}

// newEvents returns the events of a call of m, nil if its client does not ask for them or m has
// none. It fails if Last-Event-ID does not fit the request's field for it: no call is made then.
func newEvents(h *httpCall, m *Method, beats time.Duration) (*events, error) {
	if h == nil || !m.ServerStreams || m.Events.Raw || !wantsEvents(h.request) {
		return nil, nil
	}
	last := h.request.Header.Get("Last-Event-ID")
	e := &events{http: h, out: writerOf(h), id: m.Events.ID, beats: beats}
	if e.id == nil {
		e.count = countFrom(last)
	}
	if after := m.Events.After; last != "" && after != nil && !inPath(h.route, after) {
		value, err := parseEventID(after, last)
		if err != nil {
			h.rpc = false
			return nil, err
		}
		e.after, e.last = after, value
	}
	h.events = e
	return e, nil
}

// writerOf returns the writer that the gateway has for an answer, which adds what the handler has
// set.
func writerOf(h *httpCall) http.ResponseWriter {
	if h.outer == nil {
		return responseWriterOf(h)
	}
	return restWriter{h}
}

// wantsEvents reports whether the client of r prefers server-sent events to lines of JSON.
func wantsEvents(r *http.Request) bool {
	accept := r.Header["Accept"]
	return accept != nil && eventstream.Accepted(accept, openapi.StreamContentType)
}

// countFrom returns the number of events that a client has got before, by its last id. Numbers
// that no stream reaches are none.
func countFrom(last string) int64 {
	if n, err := strconv.ParseInt(last, 10, 64); err == nil && n > 0 && n < 1<<62 {
		return n
	}
	return 0
}

// endedBefore answers a client that connects again to a stream that has ended for good.
func endedBefore(w http.ResponseWriter, r *http.Request) bool {
	if last := r.Header["Last-Event-Id"]; len(last) != 1 || last[0] != endOfStream || !wantsEvents(r) {
		return false
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// open begins the answer.
func (e *events) open() {
	if e.opened {
		return
	}
	e.opened = true
	header := e.out.Header()
	header.Set("Content-Type", eventstream.ContentType)
	if header.Get("Cache-Control") == "" {
		header.Set("Cache-Control", "no-cache")
	}
	header.Set("X-Accel-Buffering", "no") // nginx would collect events
	header.Set("X-Content-Type-Options", "nosniff")
	header.Add("Vary", "Accept")
	e.out.WriteHeader(http.StatusOK)
	if e.beats > 0 {
		e.quiet = time.NewTimer(e.beats)
	}
	_ = e.write(eventstream.Event{Retry: reconnectAfter()}.Append(nil)) // the next event finds a client that is gone
}

// reconnectAfter returns a time between 1 and 3 s: the clients of an instance that has gone come
// back one by one.
func reconnectAfter() time.Duration { return time.Second + rand.N(2*time.Second) }

// write sends text to the client at once.
func (e *events) write(text []byte) error {
	if _, err := e.out.Write(text); err != nil {
		return err
	}
	return http.NewResponseController(e.out).Flush()
}

// due returns the channel of the next heartbeat, nil for none.
func (e *events) due() <-chan time.Time {
	if e.quiet == nil {
		return nil
	}
	e.quiet.Reset(e.beats)
	return e.quiet.C
}

// end sends the last event of a stream that has ended with err, which is io.EOF for OK.
func (e *events) end(err error) {
	if e.http.parent.Err() != nil {
		return // the client has gone
	}
	last := eventstream.Event{Name: "error", ID: endOfStream}
	switch {
	case e.leaves(err):
		_ = e.write(eventstream.Event{Retry: reconnectAfter()}.Append([]byte(": the server is shutting down: connect again\n")))
		return
	case err == io.EOF: //nolint:errorlint // grpc has it so
		last.Name, last.Data = "end", []byte("{}")
	default:
		st := status.Convert(err)
		last.Data = []byte(streamError(e.http, err, gateway.HTTPStatusFromCode).Message())
		if mayPass(st.Code()) {
			last.ID = ""
			last.Retry = rpcstatus.Split(st).Retry.GetRetryDelay().AsDuration()
		}
	}
	_ = e.write(last.Append(nil))
}

// leaves reports whether a stream that ends with err does so because the server stops: its client
// finds the rest elsewhere.
func (e *events) leaves(err error) bool {
	if errors.Is(err, errDraining) || errors.Is(err, errCut) {
		return true
	}
	select {
	case <-e.http.server.draining:
		return err == io.EOF || status.Code(err) == codes.Unavailable //nolint:errorlint // grpc has it so
	default:
		return false
	}
}

// mayPass reports whether the same request may have another result later.
func mayPass(code codes.Code) bool {
	switch code {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied, codes.FailedPrecondition,
		codes.OutOfRange, codes.Unimplemented, codes.Unauthenticated:
		return false
	default:
		return true
	}
}

// nextID returns the id of the event of an answer, empty for none.
func (e *events) nextID(answer proto.Message) string {
	if e.id == nil {
		e.count++
		return strconv.FormatInt(e.count, 10)
	}
	m := answer.ProtoReflect()
	fd := sameField(m, e.id)
	if fd == nil || !m.Has(fd) {
		return ""
	}
	return m.Get(fd).String()
}

// eventText is an event as it is sent.
type eventText []byte

// asEvent returns a rewriter that makes an event of what rewrite makes of an answer, if its client
// asks for events.
func asEvent(rewrite gateway.ForwardResponseRewriter, marshal func(any) ([]byte, error)) gateway.ForwardResponseRewriter {
	return func(ctx context.Context, answer proto.Message) (any, error) {
		value, err := rewrite(ctx, answer)
		h := httpCallFrom(ctx)
		if err != nil || h == nil || h.events == nil {
			return value, err
		}
		if part, ok := value.(interface{ XXX_ResponseBody() any }); ok { // of google.api.http.response_body
			value = part.XXX_ResponseBody()
		}
		data, err := marshal(value)
		if err != nil {
			return nil, err
		}
		return eventText(eventstream.Event{ID: h.events.nextID(answer), Data: data}.Append(nil)), nil
	}
}

// eventPipe is the client's end of a stream that is sent as events. The gateway sends each answer.
// What else there is to send is written here, and the gateway learns nothing of it.
type eventPipe struct {
	*restPipe
	events *events
}

// SendMsg gives the request the client's last id.
func (p *eventPipe) SendMsg(m any) error {
	if request, ok := m.(proto.Message); ok && p.one && p.events.after != nil {
		if fd := sameField(request.ProtoReflect(), p.events.after); fd != nil {
			request.ProtoReflect().Set(fd, p.events.last)
		}
	}
	return p.restPipe.SendMsg(m)
}

// sameField returns the field of m that is like fd, which may be of another descriptor of the same
// message, nil if there is none.
func sameField(m protoreflect.Message, fd protoreflect.FieldDescriptor) protoreflect.FieldDescriptor {
	own := m.Descriptor().Fields().ByNumber(fd.Number())
	if own == nil || own.Kind() != fd.Kind() || own.Cardinality() != fd.Cardinality() {
		return nil
	}
	return own
}

// Header returns early if the handler is quiet, so that the answer begins.
func (p *eventPipe) Header() (metadata.MD, error) {
	wait := time.NewTimer(openAfter)
	defer wait.Stop()
	select {
	case <-p.headers:
	case <-p.ended:
	case <-p.parent.Done():
	case <-wait.C:
		p.handOver()
		p.events.open()
		return nil, nil
	}
	header, err := p.restPipe.Header()
	if err != nil && p.events.leaves(err) {
		return nil, nil // an error would end the attempts of a browser
	}
	return header, err
}

// RecvMsg returns io.EOF for each end of the stream, which it has sent to the client.
func (p *eventPipe) RecvMsg(m any) error {
	p.events.open()
	if p.events.http.request.Method == http.MethodHead {
		return io.EOF // all of the header is there
	}
	for {
		select {
		case answer := <-p.answers:
			return p.take(m, answer)
		case <-p.ended:
		case <-p.parent.Done():
		case <-p.events.due():
			if err := p.events.write([]byte(eventstream.Heartbeat)); err != nil {
				return io.EOF // nobody reads
			}
			continue
		}
		err := p.restPipe.RecvMsg(m)
		if err != nil {
			p.events.end(err)
			return io.EOF
		}
		return nil
	}
}

// inPath reports whether the path of a route holds a field, whose value a header must not change:
// a proxy may have decided by it.
func inPath(route string, fd protoreflect.FieldDescriptor) bool {
	variable := "{" + string(fd.Name())
	return strings.Contains(route, variable+"}") || strings.Contains(route, variable+"=")
}

// parseEventID returns the value of fd that an id stands for.
func parseEventID(fd protoreflect.FieldDescriptor, id string) (value protoreflect.Value, err error) {
	var n int64
	var u uint64
	switch fd.Kind() {
	case protoreflect.StringKind:
		if !eventstream.IsID(id) {
			err = strconv.ErrSyntax
		}
		value = protoreflect.ValueOfString(id)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		n, err = strconv.ParseInt(id, 10, 32)
		value = protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		u, err = strconv.ParseUint(id, 10, 32)
		value = protoreflect.ValueOfUint32(uint32(u))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		u, err = strconv.ParseUint(id, 10, 64)
		value = protoreflect.ValueOfUint64(u)
	default:
		n, err = strconv.ParseInt(id, 10, 64)
		value = protoreflect.ValueOfInt64(n)
	}
	if err != nil {
		return protoreflect.Value{}, badEventID(fd)
	}
	return value, nil
}

// badEventID is the error about a Last-Event-ID that no event of the stream can have had. It does
// not quote the header.
func badEventID(fd protoreflect.FieldDescriptor) error {
	text := fmt.Sprintf("the header Last-Event-ID is no %s, which the field %s takes", fd.Kind(), fd.Name())
	st, err := status.New(codes.InvalidArgument, text).WithDetails(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
		{Field: string(fd.Name()), Description: text},
	}})
	if err != nil {
		return status.Error(codes.InvalidArgument, text)
	}
	return st.Err()
}
