// Package jwt accepts the users of callers from outside the mesh: bearer tokens that an OpenID Connect provider, or any
// other issuer of signed JSON Web Tokens, has given out. It is a module of its own, so that only services that have
// such callers carry what it needs.
//
// A service embeds [Config] in its own configuration and hands a [Verifier] to the chassis:
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
// Methods then name users by the subjects of their tokens, as "user:alice" or "user:*", in the option callers of
// paddock.v1. The chassis reads tokens at the REST edge only: gRPC callers prove who they are by mutual TLS.
//
// # What is accepted
//
// A token in compact form of at most 16 KiB, signed with an asymmetric algorithm that is allowed, by a key that the
// issuer publishes; issued by the configured issuer for the configured audience; not expired, not used before its
// time, by a clock that may be off by 30 s; with a subject. A token without exp is refused, and one that lives for
// longer than Config.MaxLife. RSA keys of less than 2048 bits do not count.
//
// The token must be one for access (RFC 8725, section 3.11 and 3.12). Its type must be of Config.Types; logout tokens
// and other security events are refused, tokens that cnf binds to a key of which a bearer proves nothing, and ID
// tokens of logins, which are told by their nonce.
//
// # Keys
//
// Keys are fetched by HTTPS, the first time when the verifier is configured, in the background: an issuer that is down
// keeps no service from starting. They are fetched again when they are 15 minutes old, so that keys which the issuer
// has withdrawn stop working, and when a token names a key that is not known, so that new ones work at once. Whatever
// tokens say, there is one fetch at a time and at most one in 10 s. While the issuer cannot be reached, the keys that
// are known go on working; where none are, tokens are refused. [Verifier.Check] tells, as a health check or for a
// Setup that would rather not start.
//
// # What is told
//
// An error says which demand a token did not meet, and nothing of what stands in the token.
package jwt
