// Package clientsettings reads what a client of HTTP/2 says about itself when it connects. grpc-go
// keeps it to itself, and resets a stream whose headers are larger than its client takes.
package clientsettings

import (
	"encoding/binary"
	"net"
	"strings"
	"sync/atomic"
)

// Conn is the plain side of a server's connection. It reads the SETTINGS frame that every client
// begins with (RFC 9113, section 3.4), and changes nothing. Later frames are not looked at.
type Conn struct {
	net.Conn
	read  bool   // all there is to read was read; of the goroutine that reads
	begin []byte // of the connection, up to the end of the frame
	limit atomic.Uint32
}

// Watch returns conn, whose client has sent nothing yet.
func Watch(conn net.Conn) *Conn { return &Conn{Conn: conn} }

// HeaderListLimit returns the client's SETTINGS_MAX_HEADER_LIST_SIZE, in bytes as RFC 9113, section
// 6.5.2, counts them. It is 0 if the client has set none, or nothing was read yet.
func (c *Conn) HeaderListLimit() int { return int(c.limit.Load()) }

func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.read {
		c.look(p[:n])
	}
	return n, err
}

const (
	preface     = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	frameHeader = 9
	setting     = 6 // bytes
	mostPayload = 64 * setting
	typeOf      = len(preface) + 3 // the type within the frame's header

	settingsType      = 4
	maxHeaderListSize = 6
)

func (c *Conn) look(p []byte) {
	const head = len(preface) + frameHeader
	c.begin = append(c.begin, p[:min(len(p), head+mostPayload-len(c.begin))]...)
	if len(c.begin) < head {
		c.read = !strings.HasPrefix(preface, string(c.begin[:min(len(c.begin), len(preface))]))
		return
	}
	size := int(c.begin[len(preface)])<<16 | int(binary.BigEndian.Uint16(c.begin[len(preface)+1:]))
	if string(c.begin[:len(preface)]) != preface || c.begin[typeOf] != settingsType || size > mostPayload {
		c.read, c.begin = true, nil
		return
	}
	if len(c.begin) < head+size {
		return
	}
	for payload := c.begin[head : head+size]; len(payload) >= setting; payload = payload[setting:] {
		if binary.BigEndian.Uint16(payload) == maxHeaderListSize {
			c.limit.Store(binary.BigEndian.Uint32(payload[2:]))
		}
	}
	c.read, c.begin = true, nil
}
