package chassis_test

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/betmakers/paddock/chassis"
)

// A handler returns an Error, also wrapped. Its caller gets code, reason and message; the cause and
// the text around it are for the log alone.
func ExampleError() {
	err := fmt.Errorf("saying: %w", &chassis.Error{
		Code: codes.NotFound, Domain: "bet.v1", Reason: "NO_BET", Message: "there is no bet 7",
		Cause: errors.New("redis: nil"),
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, &chassis.Error{Domain: "bet.v1", Reason: "NO_BET"}))

	sent, _ := chassis.ErrorOf(err)
	fmt.Println(sent.GRPCStatus().Message())
	// Output:
	// saying: NotFound (bet.v1 NO_BET): there is no bet 7: redis: nil
	// true
	// there is no bet 7
}

// A client reads the code and the reason of what it got. An error that is no status is none.
func ExampleErrorOf() {
	err := status.Error(codes.Unavailable, "try again") // as a client gets it
	if e, ok := chassis.ErrorOf(err); ok {
		fmt.Println(e.Code, e.Message)
	}
	_, ok := chassis.ErrorOf(errors.New("disk full"))
	fmt.Println(ok)
	// Output:
	// Unavailable try again
	// false
}
