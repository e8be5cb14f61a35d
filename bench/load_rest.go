package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// httpCaller makes one HTTP/1.1 call after the other on a connection that stays open.
type httpCaller struct {
	conn    net.Conn
	in      *bufio.Reader
	request []byte
}

func newHTTPCaller(conn net.Conn) *httpCaller {
	body, err := json.Marshal(map[string]string{"message": message})
	if err != nil {
		panic(err)
	}
	request := fmt.Appendf(nil, "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench/1\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	return &httpCaller{conn: conn, in: bufio.NewReaderSize(conn, 4<<10), request: request}
}

func (c *httpCaller) call(more func() bool) (refused int, err error) {
	_ = c.conn.SetDeadline(time.Now().Add(time.Minute))
	for more() {
		if err := c.one(); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

func (c *httpCaller) one() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(message)) {
		return fmt.Errorf("a call failed: %s: %s", resp.Status, body)
	}
	return nil
}

func (c *httpCaller) close() error { return c.conn.Close() }
