package chassis_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/betmakers/paddock/chassis/chassistest"
	"github.com/betmakers/paddock/chassis/internal/echo"
)

// withProtocols is a client of svc that speaks the protocols that choose switches on. HTTP/2
// without TLS it speaks without asking, as a proxy does.
func withProtocols(svc *chassistest.Running, choose func(*http.Protocols)) *http.Client {
	client := svc.HTTP()
	protocols := new(http.Protocols)
	choose(protocols)
	transportOf(client).Protocols = protocols
	return client
}

func plainHTTP2(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }

func transportOf(client *http.Client) *http.Transport {
	return reflect.ValueOf(client.Transport).FieldByName("Transport").Interface().(*http.Transport)
}

// The REST port without TLS serves HTTP/2 to who begins with it, and HTTP/1 to everybody else.
func TestHTTP2WithoutTLS(t *testing.T) {
	t.Parallel()
	svc := start(t, echoes(&echo.Service{}), env{"CHASSIS_HTTP_TLS": "false"})
	for want, choose := range map[string]func(*http.Protocols){
		"HTTP/2.0": plainHTTP2,
		"HTTP/1.1": func(p *http.Protocols) { p.SetHTTP1(true) },
	} {
		resp, err := withProtocols(svc, choose).Post("http://rest/v1/say", "application/json", strings.NewReader(`"x"`))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.Proto != want {
			t.Errorf("got %d by %s, want %s", resp.StatusCode, resp.Proto, want)
		}
	}
}

// A stop ends HTTP/2 without TLS as it does with TLS: the request under way is answered, and an
// idle connection gets a GOAWAY, which a closed connection without one would have lost requests
// for.
func TestHTTP2WithoutTLSAtAStop(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}), make(chan struct{})
	svc := start(t, echoes(&echo.Service{OnSay: func(_ context.Context, text string) (string, error) {
		if text == "wait" {
			close(begun)
			<-release
		}
		return text, nil
	}}), env{"CHASSIS_HTTP_TLS": "false"})
	idle, err := transportOf(svc.HTTP()).DialContext(t.Context(), "tcp", "rest:80")
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close() //nolint:errcheck // of a test
	_, _ = idle.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
	frames := readFrames(idle)
	if got := await(t, frames, "the settings of the server"); got != typeSettings {
		t.Fatalf("got a frame of type %d first", got)
	}
	answers := make(chan reply, 1)
	client := withProtocols(svc, plainHTTP2)
	go func() { answers <- do(t, client, "POST", "http://rest/v1/say", `"wait"`) }()
	<-begun
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		svc.Stop()
	}()
	told := false
	for got := range frames {
		if told = got == typeGoAway; told {
			break
		}
	}
	if close(release); !told {
		t.Error("the idle connection ended without a GOAWAY")
	}
	if got := await(t, answers, "the answer"); got.status != http.StatusOK {
		t.Errorf("got %s", got)
	}
	await(t, stopped, "the end of the stop")
}

const typeSettings, typeGoAway = 4, 7

// readFrames returns the types of the frames that come. The channel is closed at the end of the
// connection.
func readFrames(conn net.Conn) <-chan byte {
	types := make(chan byte, 100)
	go func() {
		defer close(types)
		in, header := bufio.NewReader(conn), make([]byte, 9)
		for {
			for n := 0; n < len(header); {
				m, err := in.Read(header[n:])
				if err != nil {
					return
				}
				n += m
			}
			if _, err := in.Discard(int(header[0])<<16 | int(header[1])<<8 | int(header[2])); err != nil {
				return
			}
			types <- header[3]
		}
	}()
	return types
}
