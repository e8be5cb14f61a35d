package validate_test

import (
	"fmt"

	"github.com/betmakers/paddock/validate"
	betsv1 "github.com/betmakers/paddock/validate/internal/proto/validatetest/v1"
)

func ExampleNew() {
	check, err := validate.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	request := &betsv1.PlaceBetRequest{
		Market: "final", Legs: []*betsv1.Leg{{Stake: 1, Payout: 2}, {Payout: 2}}, Payment: &betsv1.PlaceBetRequest_Card{Card: "4000"},
	}
	fmt.Println(check(request))
	request.Legs[1].Stake = 1
	fmt.Println(check(request))
	// Output:
	// rpc error: code = InvalidArgument desc = PlaceBetRequest is invalid: legs[1].stake: must be greater than 0
	// <nil>
}
