package forms_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	formsv1 "github.com/betmakers/paddock/examples/gen/forms/v1"
)

// shapes is the service of the tests. A test may replace the answer of Echo, Get and Part, and the
// handlers of streams.
type shapes struct {
	formsv1.UnimplementedFormsServiceServer
	answer func(context.Context, *formsv1.Shape) (*formsv1.Shape, error)
	sum    func(formsv1.FormsService_SumServer) error
	parts  func(*formsv1.Shape, formsv1.FormsService_DownloadPartsServer) error
	ran    chan struct{} // gets one for each call of Legacy; may be nil
}

func (s *shapes) Echo(ctx context.Context, in *formsv1.Shape) (*formsv1.Shape, error) {
	if s.answer != nil {
		return s.answer(ctx, in)
	}
	return in, nil
}

func (s *shapes) Get(ctx context.Context, in *formsv1.Shape) (*formsv1.Shape, error) {
	return s.Echo(ctx, in)
}

func (s *shapes) Part(ctx context.Context, in *formsv1.Shape) (*formsv1.Shape, error) {
	return s.Echo(ctx, in)
}

func (s *shapes) Patch(_ context.Context, in *formsv1.PatchRequest) (*formsv1.PatchRequest, error) {
	return in, nil
}

func (s *shapes) Sum(stream formsv1.FormsService_SumServer) error {
	if s.sum != nil {
		return s.sum(stream)
	}
	sum := new(formsv1.SumResponse)
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(sum)
		}
		if err != nil {
			return err
		}
		sum.Count++
		sum.Bytes += in.GetBig()
	}
}

func (*shapes) Chat(stream formsv1.FormsService_ChatServer) error {
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(in); err != nil {
			return err
		}
	}
}

func (s *shapes) Watch(in *formsv1.Shape, stream formsv1.FormsService_WatchServer) error {
	for range 2 {
		answer, err := s.Echo(stream.Context(), in)
		if err != nil {
			return err
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
	return nil
}

func (*shapes) Download(_ context.Context, in *formsv1.Shape) (*httpbody.HttpBody, error) {
	if in.GetName() == "untyped" {
		return &httpbody.HttpBody{Data: []byte("<script>")}, nil
	}
	if in.GetName() == "bad" {
		return &httpbody.HttpBody{ContentType: "text/\xff", Data: []byte("x")}, nil
	}
	return &httpbody.HttpBody{ContentType: "text/csv", Data: []byte("a,b\n1,2\n")}, nil
}

func (s *shapes) DownloadParts(in *formsv1.Shape, stream formsv1.FormsService_DownloadPartsServer) error {
	if s.parts != nil {
		return s.parts(in, stream)
	}
	for _, part := range []string{"\x00\n", "", "\n\xff"} {
		if err := stream.Send(&httpbody.HttpBody{ContentType: "image/png", Data: []byte(part)}); err != nil {
			return err
		}
	}
	return nil
}

func (*shapes) Keep(_ context.Context, in *formsv1.File) (*formsv1.File, error) { return in, nil }

func (*shapes) KeepParts(in *formsv1.File, stream formsv1.FormsService_KeepPartsServer) error {
	return errors.Join(stream.Send(in), stream.Send(in))
}

func (*shapes) Upload(_ context.Context, in *httpbody.HttpBody) (*httpbody.HttpBody, error) {
	return in, nil
}

func (*shapes) UploadParts(stream formsv1.FormsService_UploadPartsServer) error {
	sum := new(formsv1.SumResponse)
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(sum)
		}
		if err != nil {
			return err
		}
		if sum.Count++; sum.GetCount() == 1 {
			sum.ContentTypes = append(sum.ContentTypes, in.GetContentType())
		}
		sum.Bytes += int64(len(in.GetData()))
	}
}

func (*shapes) Pipe(stream formsv1.FormsService_PipeServer) error {
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(in); err != nil {
			return err
		}
	}
}

func (s *shapes) Legacy(_ context.Context, in *formsv1.LegacyRequest) (*formsv1.LegacyResponse, error) {
	if s.ran != nil {
		s.ran <- struct{}{}
	}
	if in.GetNote() == "incomplete" {
		return &formsv1.LegacyResponse{}, nil
	}
	return &formsv1.LegacyResponse{Id: in.Id}, nil //nolint:protogetter // as it is
}

func (s *shapes) LegacySum(stream formsv1.FormsService_LegacySumServer) error {
	for {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			return stream.SendAndClose(new(emptypb.Empty))
		} else if err != nil {
			return err
		}
		if s.ran != nil {
			s.ran <- struct{}{}
		}
	}
}

// failing returns a handler that sets header and trailer, and fails.
func failing(ctx context.Context, _ *formsv1.Shape) (*formsv1.Shape, error) {
	return nil, errors.Join(
		grpc.SetHeader(ctx, metadata.Pairs("set", "1", "set", "2")),
		grpc.SetTrailer(ctx, metadata.Pairs("trails", "1")),
		status.Error(codes.Aborted, "again"))
}

func serve(t *testing.T, impl *shapes) *chassistest.Running {
	t.Helper()
	return chassistest.Start(t, chassis.Service{Name: "shapes", Setup: func(ctx context.Context, app *chassis.App) error {
		formsv1.RegisterFormsServiceServer(app, impl)
		app.Gateway(ctx, formsv1.RegisterFormsServiceHandler)
		return nil
	}}, chassistest.Options{})
}

// reply is an answer, read to its end.
type reply struct {
	status  int
	body    string
	header  http.Header
	trailer http.Header
	err     error // of the body
}

// onlyReader hides the length of a body.
type onlyReader struct{ io.Reader }

func do(t *testing.T, svc *chassistest.Running, method, path string, body io.Reader, header ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://rest"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := svc.HTTP().Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, string(text), resp.Header, resp.Trailer, err}
}

// framings are the two ways in which HTTP/1.1 has a body.
var framings = map[string]func(string) io.Reader{
	"with a length":    func(body string) io.Reader { return strings.NewReader(body) },
	"without a length": func(body string) io.Reader { return onlyReader{strings.NewReader(body)} },
}
