package differential

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	shapesv1 "github.com/betmakers/paddock/conformance/proto/shapes/v1"
)

// requestID is where the header From arrives, which numbers requests here, so that what a handler
// has received is known to be of it.
const requestID = "grpcgateway-from"

// service implements the services of shapes.v1. It keeps what its handlers have received, by
// request.
type service struct {
	shapesv1.UnimplementedMessageServiceServer
	shapesv1.UnimplementedRouteServiceServer
	shapesv1.UnimplementedColonServiceServer
	shapesv1.UnimplementedInnerServiceServer
	shapesv1.UnimplementedStreamServiceServer

	mu   sync.Mutex
	seen map[string][]string
}

// see keeps a message, in a form that is the same for equal messages.
func (s *service) see(ctx context.Context, method string, m proto.Message) {
	id := strings.Join(metadata.ValueFromIncomingContext(ctx, requestID), "")
	text, err := prototext.MarshalOptions{AllowPartial: true}.Marshal(m)
	if err != nil {
		text = fmt.Appendf(nil, "unreadable: %x", must(proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(m)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string][]string{}
	}
	s.seen[id] = append(s.seen[id], method+" "+strings.Join(strings.Fields(string(text)), " "))
}

// take returns what was received of a request, and forgets it.
func (s *service) take(id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen[id]
	delete(s.seen, id)
	return seen
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func echo[T proto.Message](ctx context.Context, s *service, method string, m T) (T, error) { //nolint:unparam // the results of a handler
	s.see(ctx, method, m)
	return m, nil
}

func (s *service) Create(ctx context.Context, m *shapesv1.Everything) (*shapesv1.Everything, error) {
	return echo(ctx, s, "Create", m)
}

func (s *service) Get(ctx context.Context, m *shapesv1.Everything) (*shapesv1.Everything, error) {
	return echo(ctx, s, "Get", m)
}

func (s *service) Path(ctx context.Context, m *shapesv1.Everything) (*shapesv1.Everything, error) {
	return echo(ctx, s, "Path", m)
}

func (s *service) Replace(ctx context.Context, m *shapesv1.Everything) (*shapesv1.Everything, error) {
	return echo(ctx, s, "Replace", m)
}

func (s *service) Update(ctx context.Context, m *shapesv1.UpdateRequest) (*shapesv1.UpdateRequest, error) {
	return echo(ctx, s, "Update", m)
}

func (s *service) Part(ctx context.Context, m *shapesv1.Everything) (*shapesv1.Everything, error) {
	return echo(ctx, s, "Part", m)
}

func (s *service) Old(ctx context.Context, m *shapesv1.Legacy) (*shapesv1.Legacy, error) {
	return echo(ctx, s, "Old", m)
}

func (s *service) Nothing(ctx context.Context, m *emptypb.Empty) (*emptypb.Empty, error) {
	return echo(ctx, s, "Nothing", m)
}

func (s *service) Text(ctx context.Context, m *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
	return echo(ctx, s, "Text", m)
}

func (s *service) Document(ctx context.Context, m *structpb.Struct) (*structpb.Struct, error) {
	return echo(ctx, s, "Document", m)
}

func (s *service) Anything(ctx context.Context, m *structpb.Value) (*structpb.Value, error) {
	return echo(ctx, s, "Anything", m)
}

// Unwritable answers with what has no JSON form, or no binary one.
func (s *service) Unwritable(ctx context.Context, m *shapesv1.UnwritableRequest) (*shapesv1.Everything, error) {
	s.see(ctx, "Unwritable", m)
	switch m.GetKind() {
	case "utf8":
		return &shapesv1.Everything{Text: "\xff"}, nil
	case "any":
		return &shapesv1.Everything{WAny: &anypb.Any{TypeUrl: "type.googleapis.com/no.such.Type", Value: []byte{8, 1}}}, nil
	case "timestamp":
		return &shapesv1.Everything{WTimestamp: &timestamppb.Timestamp{Seconds: 1 << 60}}, nil
	case "duration":
		return &shapesv1.Everything{WDuration: &durationpb.Duration{Seconds: 1, Nanos: -1}}, nil
	case "nan":
		return &shapesv1.Everything{WValue: &structpb.Value{}}, nil
	case "mask":
		return &shapesv1.Everything{WMask: &fieldmaskpb.FieldMask{Paths: []string{"not_a_1_name", "__"}}}, nil
	default:
		return nil, nil //nolint:nilnil // it is one of the kinds
	}
}

func (s *service) Single(ctx context.Context, m *shapesv1.Route) (*shapesv1.Route, error) {
	return echo(ctx, s, "Single", m)
}

func (s *service) Many(ctx context.Context, m *shapesv1.Route) (*shapesv1.Route, error) {
	return echo(ctx, s, "Many", m)
}

func (s *service) Verb(ctx context.Context, m *shapesv1.Route) (*shapesv1.Route, error) {
	return echo(ctx, s, "Verb", m)
}

func (s *service) Custom(ctx context.Context, m *shapesv1.Route) (*shapesv1.Route, error) {
	return echo(ctx, s, "Custom", m)
}

func (s *service) Overlap(ctx context.Context, m *shapesv1.Route) (*shapesv1.Route, error) {
	return echo(ctx, s, "Overlap", m)
}

func (s *service) Root(ctx context.Context, m *shapesv1.Route) (*shapesv1.Route, error) {
	return echo(ctx, s, "Root", m)
}

func (s *service) Colons(ctx context.Context, m *shapesv1.Route) (*shapesv1.Route, error) {
	return echo(ctx, s, "Colons", m)
}

func (s *service) Inner(ctx context.Context, m *shapesv1.Route) (*shapesv1.Route, error) {
	return echo(ctx, s, "Inner", m)
}

func (s *service) Outer(ctx context.Context, m *shapesv1.Route) (*shapesv1.Route, error) {
	return echo(ctx, s, "Outer", m)
}

// metadataSetter is what the header and the trailer of a call are set by, unary or stream.
type metadataSetter interface {
	SetHeader(metadata.MD) error
	SendHeader(metadata.MD) error
	SetTrailer(metadata.MD)
}

// unary sets them for a unary call.
type unary struct{ ctx context.Context } //nolint:containedctx // it is the call

func (u unary) SetHeader(md metadata.MD) error  { return grpc.SetHeader(u.ctx, md) }
func (u unary) SendHeader(md metadata.MD) error { return grpc.SendHeader(u.ctx, md) }
func (u unary) SetTrailer(md metadata.MD)       { _ = grpc.SetTrailer(u.ctx, md) }

// begin does what script says before the first answer.
func begin(call metadataSetter, script *shapesv1.Script) error {
	if len(script.GetTrailer()) > 0 {
		call.SetTrailer(metadata.New(script.GetTrailer()))
	}
	if len(script.GetHeader()) > 0 {
		if err := call.SetHeader(metadata.New(script.GetHeader())); err != nil {
			return err
		}
	}
	if script.GetSend() {
		return call.SendHeader(nil)
	}
	return nil
}

// end does what script says behind the last answer.
func end(call metadataSetter, script *shapesv1.Script) error {
	if len(script.GetLateTrailer()) > 0 {
		call.SetTrailer(metadata.New(script.GetLateTrailer()))
	}
	if script.GetBare() {
		return errors.New(script.GetMessage())
	}
	if script.GetCode() == 0 {
		return nil
	}
	st := status.New(codes.Code(script.GetCode()), script.GetMessage())
	if script.GetDetails() {
		st = must(st.WithDetails(details()...))
	}
	return st.Err()
}

// details are of every kind that google.rpc has, one that is not of google.rpc, and one of a
// well-known type.
func details() []protoadapt.MessageV1 {
	return []protoadapt.MessageV1{
		protoadapt.MessageV1Of(&errdetails.ErrorInfo{Reason: "NO_STOCK", Domain: "shapes.test", Metadata: map[string]string{"sku": "7"}}),
		protoadapt.MessageV1Of(&errdetails.RetryInfo{RetryDelay: durationpb.New(2500000000)}),
		protoadapt.MessageV1Of(&errdetails.DebugInfo{StackEntries: []string{"main.go:7"}, Detail: "at 7"}),
		protoadapt.MessageV1Of(&errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{{Subject: "clientip", Description: "too many"}}}),
		protoadapt.MessageV1Of(&errdetails.PreconditionFailure{Violations: []*errdetails.PreconditionFailure_Violation{{Type: "TOS", Subject: "x", Description: "not accepted"}}}),
		protoadapt.MessageV1Of(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "text", Description: "too long"}}}),
		protoadapt.MessageV1Of(&errdetails.RequestInfo{RequestId: "r1", ServingData: "d"}),
		protoadapt.MessageV1Of(&errdetails.ResourceInfo{ResourceType: "book", ResourceName: "b1", Owner: "o", Description: "gone"}),
		protoadapt.MessageV1Of(&errdetails.Help{Links: []*errdetails.Help_Link{{Description: "docs", Url: "https://example.test/"}}}),
		protoadapt.MessageV1Of(&errdetails.LocalizedMessage{Locale: "de", Message: "ausverkauft"}),
		protoadapt.MessageV1Of(&shapesv1.Child{Name: "own", Size: 3}),
		protoadapt.MessageV1Of(wrapperspb.String("wrapped")),
	}
}

// hop is what grpc-go adds between the gateway and the server, which are two only on the plain
// side. requestID differs in each request.
var hop = []string{":authority", "content-type", "grpc-accept-encoding", "user-agent", requestID}

// note is an answer. It lists what the caller has sent, if script says so.
func note(ctx context.Context, script *shapesv1.Script, number int) *shapesv1.Note {
	n := &shapesv1.Note{Number: int32(number), Text: script.GetText()}
	if script.GetMetadata() {
		md, _ := metadata.FromIncomingContext(ctx)
		for _, key := range slices.Sorted(maps.Keys(md)) {
			if slices.Contains(hop, key) {
				continue
			}
			n.Metadata = append(n.Metadata, fmt.Sprintf("%s=%q", key, md[key]))
		}
	}
	return n
}

func (s *service) Act(ctx context.Context, script *shapesv1.Script) (*shapesv1.Note, error) {
	s.see(ctx, "Act", script)
	if err := begin(unary{ctx}, script); err != nil {
		return nil, err
	}
	if err := end(unary{ctx}, script); err != nil {
		return nil, err
	}
	return note(ctx, script, 0), nil
}

func (s *service) Watch(script *shapesv1.Script, stream grpc.ServerStreamingServer[shapesv1.Note]) error {
	s.see(stream.Context(), "Watch", script)
	if err := begin(stream, script); err != nil {
		return err
	}
	for i := range int(min(script.GetAnswers(), 100)) {
		if err := stream.Send(note(stream.Context(), script, i)); err != nil {
			return err
		}
	}
	return end(stream, script)
}

func (s *service) Collect(stream grpc.ClientStreamingServer[shapesv1.Script, shapesv1.Note]) error {
	last, count := new(shapesv1.Script), 0
	for {
		script, err := stream.Recv()
		if err == io.EOF { //nolint:errorlint // streams return the value itself
			break
		}
		if err != nil {
			return err
		}
		s.see(stream.Context(), "Collect", script)
		last = script
		count++
	}
	if err := begin(stream, last); err != nil {
		return err
	}
	if last.GetCode() == 0 || last.GetAnswers() > 0 {
		if err := stream.SendAndClose(note(stream.Context(), last, count)); err != nil {
			return err
		}
	}
	return end(stream, last)
}

func (s *service) Chat(stream grpc.BidiStreamingServer[shapesv1.Script, shapesv1.Note]) error {
	for count := 0; ; count++ {
		script, err := stream.Recv()
		if err == io.EOF { //nolint:errorlint // streams return the value itself
			return nil
		}
		if err != nil {
			return err
		}
		s.see(stream.Context(), "Chat", script)
		if count == 0 {
			if err := begin(stream, script); err != nil {
				return err
			}
		}
		for range int(min(script.GetAnswers(), 100)) {
			if err := stream.Send(note(stream.Context(), script, count)); err != nil {
				return err
			}
		}
		if err := end(stream, script); err != nil {
			return err
		}
	}
}

func (s *service) Download(ctx context.Context, script *shapesv1.Script) (*httpbody.HttpBody, error) {
	s.see(ctx, "Download", script)
	if err := begin(unary{ctx}, script); err != nil {
		return nil, err
	}
	if err := end(unary{ctx}, script); err != nil {
		return nil, err
	}
	return &httpbody.HttpBody{ContentType: script.GetContentType(), Data: []byte(script.GetText())}, nil
}

func (s *service) Stream(script *shapesv1.Script, stream grpc.ServerStreamingServer[httpbody.HttpBody]) error {
	s.see(stream.Context(), "Stream", script)
	if err := begin(stream, script); err != nil {
		return err
	}
	for range int(min(script.GetAnswers(), 100)) {
		if err := stream.Send(&httpbody.HttpBody{ContentType: script.GetContentType(), Data: []byte(script.GetText())}); err != nil {
			return err
		}
	}
	return end(stream, script)
}

func (s *service) Upload(ctx context.Context, body *httpbody.HttpBody) (*shapesv1.Note, error) {
	s.see(ctx, "Upload", body)
	return &shapesv1.Note{Data: body.GetData(), ContentType: body.GetContentType()}, nil
}

func (s *service) Attach(ctx context.Context, m *shapesv1.Attachment) (*shapesv1.Attachment, error) {
	return echo(ctx, s, "Attach", m)
}

func (s *service) Uploads(stream grpc.ClientStreamingServer[httpbody.HttpBody, shapesv1.Note]) error {
	all := new(shapesv1.Note)
	for {
		body, err := stream.Recv()
		if err == io.EOF { //nolint:errorlint // streams return the value itself
			return stream.SendAndClose(all)
		}
		if err != nil {
			return err
		}
		all.Data, all.ContentType = append(all.Data, body.GetData()...), body.GetContentType()
		s.see(stream.Context(), "Uploads", all)
	}
}
