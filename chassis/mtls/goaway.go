package mtls

import (
	"encoding/binary"
	"net"
	"sync"
)

// goAwayConn is the plain side of a connection of an HTTP/2 server. It can insert a GOAWAY frame
// between the server's frames, because grpc-go has no way to end a single connection gracefully.
// The frame names the highest possible stream, so it asks the client to use another connection
// for new calls and ends none (RFC 9113, section 6.8). grpc-go's own GOAWAY may follow.
type goAwayConn struct {
	net.Conn
	mu     sync.Mutex
	head   [frameHeader]byte
	inHead int    // how much of head was written
	left   uint32 // of the frame's payload
	wanted bool   // to be sent as soon as the frame under way is whole
}

const frameHeader = 9

// goAway is length 8, type 7, no flags, stream 0; last stream 2^31-1, NO_ERROR.
var goAway = [...]byte{0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0}

func (c *goAwayConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.Conn.Write(p)
	c.follow(p[:n])
	if err == nil && c.wanted && c.between() {
		err = c.send()
	}
	return n, err
}

// leave sends the GOAWAY as soon as the current frame has ended. Further calls do nothing.
func (c *goAwayConn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wanted = true; c.between() {
		_ = c.send() // a connection that is gone needs none
	}
}

func (c *goAwayConn) send() error {
	c.wanted = false
	_, err := c.Conn.Write(goAway[:])
	return err
}

func (c *goAwayConn) between() bool { return c.inHead == 0 && c.left == 0 }

// follow tracks the boundaries of frames.
func (c *goAwayConn) follow(p []byte) {
	for len(p) > 0 {
		if c.left > 0 {
			n := min(c.left, uint32(len(p))) //nolint:gosec // a piece of memory that was written at once
			p, c.left = p[n:], c.left-n
			continue
		}
		n := copy(c.head[c.inHead:], p)
		p = p[n:]
		if c.inHead += n; c.inHead == frameHeader {
			c.inHead, c.left = 0, binary.BigEndian.Uint32(c.head[:4])>>8
		}
	}
}
