// Command paddockclient is a client under test that is made by the chassis.
package main

import (
	"context"
	"log"
	"os"

	"connectrpc.com/conformance/internal/app/grpcclient"
)

func main() {
	out := os.Stdout
	os.Stdout = os.Stderr // what the chassis logs must not get between the runner's messages
	if err := grpcclient.RunChassis(context.Background(), os.Stdin, out); err != nil {
		log.Fatal(err)
	}
}
