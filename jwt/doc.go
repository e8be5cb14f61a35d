// Package jwt authenticates users from outside the mesh by their bearer tokens, which an OpenID
// Connect provider or another issuer of signed JSON Web Tokens has issued. It is a separate
// module, so that services without such users do not carry its dependencies.
//
// A service embeds [Config] in its own configuration and passes a [Verifier] to the chassis:
//
//	func Service() chassis.Service {
//		var cfg struct{ Tokens jwt.Config }
//		tokens := new(jwt.Verifier)
//		return chassis.Service{
//			Name: "bets", Config: &cfg, Tokens: tokens,
//			Setup: func(ctx context.Context, app *chassis.App) error {
//				if err := tokens.Configure(ctx, cfg.Tokens); err != nil {
//					return err
//				}
//				...
//			},
//		}
//	}
//
// Methods list users by the subjects of their tokens, as "user:alice" or "user:*", in the option
// callers of paddock.v1. The chassis reads tokens only at the REST edge: gRPC callers prove their
// identity by mutual TLS.
//
// # Accepted tokens
//
// A token must meet all of these conditions:
//
//   - It is in compact form and has at most 16 KiB.
//   - A key that the issuer publishes has signed it, with an allowed asymmetric algorithm. RSA
//     keys have at least 2048 bits.
//   - It is from the configured issuer, for the configured audience, and has a subject.
//   - It has an exp claim, has not expired, and may be used already. Clocks may differ by 30 s.
//   - It expires within Config.MaxLife.
//   - Its type is one of Config.Types.
//   - It is an access token (RFC 8725, sections 3.11 and 3.12). Logout tokens and other security
//     events, tokens that cnf binds to a key, and ID tokens of logins, which have a nonce, are
//     rejected.
//
// # Keys
//
// Keys are fetched by HTTPS, in the background, for the first time when the verifier is
// configured. So an issuer that is down does not prevent the start of a service. They are fetched
// again:
//
//   - when they are 15 minutes old, so that keys which the issuer has withdrawn stop working
//   - when a token names an unknown key, so that new keys work at once
//
// There is one fetch at a time and at most one in 10 s, whatever tokens arrive. While the issuer
// cannot be reached, known keys stay valid. Without known keys, tokens are rejected.
// [Verifier.Check] reports this, as a health check or for a Setup that should fail instead.
//
// # Errors
//
// An error names the condition that a token did not meet, and contains nothing of the token.
package jwt
