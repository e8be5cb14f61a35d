package chassis

import (
	"errors"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of Linux, which package syscall does not have.
const tcpUserTimeout = 0x12

// setUserTimeout is for net.ListenConfig.Control: a connection whose peer has confirmed nothing of what was sent for
// keepaliveTimeout ends, as gRPC has it. Connections have it of the socket that they were accepted from.
func setUserTimeout(_, _ string, socket syscall.RawConn) error {
	var err error
	wrong := socket.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(keepaliveTimeout/time.Millisecond))
	})
	return errors.Join(wrong, err)
}
