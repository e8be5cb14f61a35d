package chassis

import (
	"context"
	"fmt"
	"net/http"

	"github.com/betmakers/paddock/internal/inbound"
)

// SetHTTP sets the status and header fields of the HTTP answer to the REST call of ctx, which is
// the context of a handler or an interceptor. For a call by gRPC, and outside of a call, it does
// nothing.
//
//	err := chassis.SetHTTP(ctx, http.StatusCreated, http.Header{"Location": {"/v1/bets/" + bet.Id}})
//
// Status is 2xx or 3xx; 0 keeps the present one, which is 200 at first. An answer with 204, 205 or
// 304 has no body. A field replaces the one of an earlier call, except that cookies (Set-Cookie)
// are added. If the call fails, the answer has the status of the error, and only Set-Cookie and
// WWW-Authenticate of the fields.
//
// If an answer to GET or HEAD has an ETag that the client's If-None-Match contains, the client
// gets 304 (RFC 9110 section 13.1.2). An answer with a strong ETag is not compressed, so that the
// client can send it in If-Match; a weak one, W/"…", allows compression.
//
// SetHTTP returns an error, and sets nothing, for a status outside 200 to 399 or without a name in
// RFC 9110, for a malformed name or value, for a field that belongs to the server, such as
// Content-Length, and after the first message of a stream was sent. It may be called concurrently.
func SetHTTP(ctx context.Context, status int, header http.Header) error {
	if err := inbound.SetReply(ctx, status, header); err != nil {
		return fmt.Errorf("chassis: SetHTTP: %w", err)
	}
	return nil
}
