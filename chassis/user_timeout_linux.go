package chassis

import (
	"errors"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of Linux, which package syscall does not have.
const tcpUserTimeout = 0x12

// setUserTimeout is for net.ListenConfig.Control. A connection ends if its peer acknowledges no
// sent data for keepaliveTimeout, as in gRPC. Accepted connections inherit it from the listening
// socket.
func setUserTimeout(_, _ string, socket syscall.RawConn) error {
	var err error
	wrong := socket.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(keepaliveTimeout/time.Millisecond))
	})
	return errors.Join(wrong, err)
}
