package inbound

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
	"sync/atomic"

	gateway "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// newGateway returns a gateway that records its routes and answers errors as problems. If lazy,
// the metadata of a call is not made by it.
func newGateway(cfg *RESTConfig, headers []string, lazy bool) (mux *gateway.ServeMux) {
	edge := cfg.Edge
	if edge == nil {
		edge = new(Edge)
	}
	own, matcher := newJSONMarshaler(), forwarded(headers)
	if lazy {
		matcher = func(string) (string, bool) { return "", false } // see newMetadata
	}
	options := append([]gateway.ServeMuxOption{
		gateway.WithMarshalerOption(gateway.MIMEWildcard, own),
		gateway.WithForwardResponseRewriter(asEvent(own.alreadyEncoded, own.Marshal)),
		gateway.WithUnescapingMode(gateway.UnescapingModeAllExceptSlash),
		gateway.WithWriteContentLength(),
		gateway.WithDisablePathLengthFallback(), // forms are not JSON, and a header must not choose the method
		gateway.WithMetadata(decideFirst),
		gateway.WithIncomingHeaderMatcher(matcher),
		gateway.WithMiddlewares(func(next gateway.HandlerFunc) gateway.HandlerFunc {
			var route atomic.Pointer[string] // a pattern's text is made once: this function runs once per route
			return func(w http.ResponseWriter, r *http.Request, pathParams map[string]string) {
				if asked, ok := w.(*askedRoute); ok {
					asked.note(r)
					return
				}
				known := route.Load()
				if known == nil {
					known = new(string)
					if pattern, ok := gateway.HTTPPattern(r.Context()); ok {
						*known = strings.ReplaceAll(pattern.String(), "=*}", "}") // {name} as in declarations
					}
					route.Store(known)
				}
				SetRoute(r.Context(), *known)
				keepSlashes(r, pathParams)
				if !takeTimeout(w, r) || endedBefore(w, r) {
					return
				}
				h := httpCallFrom(r.Context())
				if lazy {
					r.Host, r.RemoteAddr = "", "" // of the gateway's own copy: nothing to make metadata of
				} else if h != nil {
					_, marshaler := gateway.MarshalerForRequest(mux, r)
					h.foreign = marshaler != gateway.Marshaler(own)
				}
				next(restWriterOf(h, w), r, pathParams)
			}
		}),
		gateway.WithErrorHandler(func(_ context.Context, _ *gateway.ServeMux, _ gateway.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
			if isAsked(w) {
				return
			}
			writeError(w, r, err, gateway.HTTPStatusFromCode)
		}),
		gateway.WithStreamErrorHandler(func(ctx context.Context, err error) *status.Status {
			cutRaw(ctx)
			return streamError(ctx, err, gateway.HTTPStatusFromCode)
		}),
		gateway.WithRoutingErrorHandler(func(_ context.Context, _ *gateway.ServeMux, _ gateway.Marshaler, w http.ResponseWriter, r *http.Request, status int) {
			if !isAsked(w) {
				edge.unrouted(w, r, status)
			}
		}),
	}, cfg.Options...)
	mux = gateway.NewServeMux(options...)
	edge.Gateway = mux
	return mux
}

// decideFirst runs when the gateway knows the method of a request and has read nothing else of
// it.
func decideFirst(ctx context.Context, _ *http.Request) metadata.MD {
	if method, ok := gateway.RPCMethod(ctx); ok {
		decideAhead(ctx, method)
	}
	return nil
}

// newMetadata returns a function that converts a request's headers to metadata like the gateway.
// The gateway itself would do so for each call, at a noticeable cost, while most handlers never
// read metadata.
func newMetadata(headers []string) func(*http.Request) metadata.MD {
	mux := gateway.NewServeMux(gateway.WithIncomingHeaderMatcher(forwarded(headers)))
	return func(r *http.Request) metadata.MD {
		header := r.Header.Clone()
		header.Del("Grpc-Timeout") // the call has its deadline already
		ctx, err := gateway.AnnotateIncomingContext(context.Background(), mux, &http.Request{Header: header, Host: r.Host, RemoteAddr: r.RemoteAddr}, "")
		if err != nil { // a binary header that is none
			return nil
		}
		md, _ := metadata.FromIncomingContext(ctx)
		return md
	}
}

// CheckHeader returns what is wrong with a name of [Config].Headers.
func CheckHeader(name string) error {
	if !isToken(name) {
		return fmt.Errorf("%q is not the name of a header field", name)
	}
	switch key := textproto.CanonicalMIMEHeaderKey(name); {
	case key == "Authorization":
		return errors.New("the header Authorization is handed on without it: remove it")
	case reserved(key) && key != "Date", strings.HasPrefix(key, "Grpc-"), key == "Host":
		return fmt.Errorf("the header %s is not for handlers: it belongs to the connection or to gRPC", name)
	}
	return nil
}

// forwarded returns the header fields that become metadata: those of [forwardedHeader], and
// headers under their own names.
func forwarded(headers []string) gateway.HeaderMatcherFunc {
	if len(headers) == 0 {
		return forwardedHeader
	}
	names := map[string]string{}
	for _, name := range headers {
		names[textproto.CanonicalMIMEHeaderKey(name)] = strings.ToLower(name)
	}
	return func(key string) (string, bool) {
		if name, ok := names[textproto.CanonicalMIMEHeaderKey(key)]; ok {
			return name, true
		}
		return forwardedHeader(key)
	}
}

// forwardedHeader excludes from the handler's metadata the headers that concern only the caller
// and the HTTP server. The gateway would add each of them to each call. The others keep the names
// that the gateway gives them.
func forwardedHeader(key string) (string, bool) {
	switch key {
	case "Accept", "Accept-Charset", "Authorization", "Cache-Control", "Content-Type", "Date", "Expect", "Host", "Pragma", "Via":
		return "", false // the gateway hands on Authorization under its own name
	case "Last-Event-Id":
		return lastEventID, true
	case "Grpc-Metadata-Authorization":
		return "", false // a proxy that checks the credential under its first name would miss a second one
	}
	return gateway.DefaultHeaderMatcher(key)
}

func openGateway(s *Server, cfg RESTConfig) (*gateway.ServeMux, *grpc.ClientConn, error) {
	lazy := len(cfg.Options) == 0 // else they may say what becomes metadata
	if cfg.Metadata == nil && lazy {
		cfg.Metadata = newMetadata(s.cfg.Headers)
	}
	if cfg.Encode == nil {
		cfg.Encode = newJSONMarshaler().encode
	}
	conn := s.Conn(cfg)
	client, err := grpc.NewClient("passthrough:///in-process",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, _ *grpc.ClientConn, _ grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return conn.Invoke(ctx, method, req, reply, opts...)
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, _ *grpc.ClientConn, method string, _ grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return conn.NewStream(ctx, desc, method, opts...)
		}),
	)
	if err != nil {
		return nil, nil, err
	}
	return newGateway(&cfg, s.cfg.Headers, lazy), client, nil
}
