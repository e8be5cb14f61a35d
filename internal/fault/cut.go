package fault

import "net"

// Cut breaks a connection as a network would: with a reset, where it is one of TCP.
func Cut(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a close is a reset from now on
	}
	_ = conn.Close()
}
