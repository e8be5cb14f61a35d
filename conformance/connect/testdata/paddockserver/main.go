// Command paddockserver is a server under test that is made by the chassis.
package main

import (
	"context"
	"log"
	"os"

	"connectrpc.com/conformance/internal/app/grpcserver"
)

func main() {
	out := os.Stdout
	os.Stdout = os.Stderr // what the chassis logs must not get between the runner's messages
	if err := grpcserver.RunChassis(context.Background(), os.Stdin, out); err != nil {
		log.Fatal(err)
	}
}
