package fault_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/betmakers/paddock/internal/fault"
)

func TestCutResetsTCP(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	fault.Cut(server)
	fault.Cut(server) // does no more
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the other end reads %v, want that the connection was reset", err)
	}
}

func TestCutClosesWhatIsNotTCP(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	fault.Cut(server)
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the other end reads %v, want the end", err)
	}
}
