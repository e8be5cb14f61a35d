package guide_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"testing/fstest"

	"google.golang.org/grpc/metadata"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"
	hellov1 "github.com/betmakers/paddock/examples/gen/hello/v1"
)

// host is a greeter for browsers.
type host struct {
	hellov1.UnimplementedHelloServiceServer
}

// SayHello sets a cookie at the first visit, and tells caches what they may do.
func (host) SayHello(ctx context.Context, in *hellov1.SayHelloRequest) (*hellov1.SayHelloResponse, error) {
	status := http.StatusOK
	header := http.Header{"Cache-Control": {"private, max-age=60"}, "ETag": {`W/"` + in.GetName() + `"`}}
	if !isGuest(ctx) {
		cookie := http.Cookie{Name: "guest", Value: in.GetName(), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
		status, header = http.StatusCreated, http.Header{"Location": {"/v1/hello/" + in.GetName()}, "Set-Cookie": {cookie.String()}}
	}
	if err := chassis.SetHTTP(ctx, status, header); err != nil {
		return nil, err
	}
	return &hellov1.SayHelloResponse{Message: "Hello, " + in.GetName() + "!"}, nil
}

// isGuest reads the cookies of a REST call, which are metadata of a gRPC handler.
func isGuest(ctx context.Context) bool {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, line := range md.Get("grpcgateway-cookie") {
		cookies, _ := http.ParseCookie(line) // a malformed one is none
		for _, cookie := range cookies {
			if cookie.Name == "guest" {
				return true
			}
		}
	}
	return false
}

// hosting is the service with all that a web page needs.
func hosting() chassis.Service {
	return chassis.Service{
		Name:           "host",
		HTTPHeaders:    []string{"Idempotency-Key"},
		HTTPMiddleware: []func(http.Handler) http.Handler{secured},
		Setup: func(ctx context.Context, app *chassis.App) error {
			hellov1.RegisterHelloServiceServer(app, host{})
			app.Gateway(ctx, hellov1.RegisterHelloServiceHandler)
			app.HandlePublic("GET /", page("index.html"))
			return nil
		},
	}
}

// secured is a middleware: it sets a header of every answer.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		next.ServeHTTP(w, r)
	})
}

var files = fstest.MapFS{"index.html": {Data: []byte("<title>Hello</title>")}} // or an embed.FS

// page serves a single-page app: the files that it has, and its page for every other path.
func page(index string) http.Handler {
	static := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := files.Stat(strings.TrimPrefix(r.URL.Path, "/")); err != nil {
			http.ServeFileFS(w, r, files, index)
			return
		}
		static.ServeHTTP(w, r)
	})
}

// A handler of a gRPC method says what its HTTP answer has beside the message.
func Example_setHTTP() {
	svc := chassistest.Start(nil, hosting(), chassistest.Options{})
	defer svc.Stop()

	answer, err := svc.HTTP().Get("http://rest/v1/hello/Ada")
	if err != nil {
		log.Fatal(err)
	}
	answer.Body.Close()
	fmt.Println(answer.Status, answer.Header.Get("Location"), answer.Header.Get("Set-Cookie"))

	again, _ := http.NewRequest("GET", "http://rest/v1/hello/Ada", nil)
	again.Header = http.Header{"Cookie": {"guest=Ada"}, "If-None-Match": {`W/"Ada"`}}
	answer, err = svc.HTTP().Do(again)
	if err != nil {
		log.Fatal(err)
	}
	answer.Body.Close()
	fmt.Println(answer.Status, answer.Header.Get("Cache-Control"))
	// Output:
	// 201 Created /v1/hello/Ada guest=Ada; Path=/; HttpOnly; Secure; SameSite=Lax
	// 304 Not Modified private, max-age=60
}

// A single-page app has the paths that the API does not have.
func Example_fallback() {
	svc := chassistest.Start(nil, hosting(), chassistest.Options{})
	defer svc.Stop()

	for _, path := range []string{"/v1/hello/Ada", "/greetings/7"} {
		answer, err := svc.HTTP().Get("http://rest" + path)
		if err != nil {
			log.Fatal(err)
		}
		io.Copy(os.Stdout, answer.Body)
		answer.Body.Close()
		fmt.Println("", answer.Header.Get("Content-Security-Policy"))
	}
	// Output:
	// {"message":"Hello, Ada!"} default-src 'self'
	// <title>Hello</title> default-src 'self'
}
