package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// post makes a call by REST, and returns what gRPC would have: a status.
func post(ctx context.Context, conn *connection, path string, message proto.Message) error {
	body, err := protojson.Marshal(message)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, conn.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if deadline, ok := ctx.Deadline(); ok {
		req.Header.Set("Request-Timeout", strconv.FormatFloat(max(time.Until(deadline), 0).Seconds(), 'f', 6, 64))
	}
	resp, err := conn.http.Do(req)
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil { // unread, the connection could not be used again
		return err
	}
	return statusOf(resp.StatusCode)
}

func statusOf(code int) error {
	switch code {
	case http.StatusOK:
		return nil
	case http.StatusServiceUnavailable:
		return status.Error(codes.Unavailable, "")
	case http.StatusGatewayTimeout:
		return status.Error(codes.DeadlineExceeded, "")
	default:
		return status.Errorf(codes.Unknown, "HTTP %d", code)
	}
}
