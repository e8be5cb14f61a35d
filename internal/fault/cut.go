package fault

import "net"

// Cut breaks a connection like a network failure, with a reset if it is TCP.
func Cut(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a close is a reset from now on
	}
	_ = conn.Close()
}
