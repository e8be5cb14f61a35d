package jwt_test

import (
	"context"
	"fmt"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/jwt"
)

// A service takes its configuration from the environment, and the verifier from that.
func ExampleVerifier() {
	var cfg struct{ Tokens jwt.Config }
	tokens := new(jwt.Verifier)
	service := chassis.Service{
		Name: "bets", Config: &cfg, Tokens: tokens,
		Setup: func(ctx context.Context, _ *chassis.App) error { return tokens.Configure(ctx, cfg.Tokens) },
	}
	fmt.Println(service.Tokens.Verify(context.Background(), "before.the.start"))
	// Output:
	//  jwt: the verifier is not configured: call Configure in Setup
}

func ExampleNew() {
	_, err := jwt.New(context.Background(), jwt.Config{Issuer: "http://login.example.org"})
	fmt.Println(err)
	// Output:
	// jwt: Issuer (JWT_ISSUER): its scheme is "http"; https is expected, and http for this machine alone
	// jwt: Audience (JWT_AUDIENCE) is empty: it says which tokens are meant for this service
}
