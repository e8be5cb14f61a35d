package main

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/durationpb"

	overloadv1 "github.com/betmakers/paddock/bench/proto/overload/v1"
)

// sender makes a call and returns with the answer, or a status.
type sender func(context.Context, *connection, *call) error

// sendUnary calls the method of the call's criticality.
func sendUnary(ctx context.Context, conn *connection, c *call) (err error) {
	switch {
	case c.apart:
		_, err = conn.work.Apart(ctx, &overloadv1.ApartRequest{})
	case c.criticality == critical:
		_, err = conn.work.Critical(ctx, &overloadv1.CriticalRequest{})
	case c.criticality == sheddable:
		_, err = conn.work.Sheddable(ctx, &overloadv1.SheddableRequest{})
	default:
		_, err = conn.work.Normal(ctx, &overloadv1.NormalRequest{})
	}
	return err
}

// sendREST does the same through the gateway.
func sendREST(ctx context.Context, conn *connection, c *call) error {
	switch c.criticality {
	case critical:
		return post(ctx, conn, "/v1/critical", &overloadv1.CriticalRequest{})
	case sheddable:
		return post(ctx, conn, "/v1/sheddable", &overloadv1.SheddableRequest{})
	default:
		return post(ctx, conn, "/v1/normal", &overloadv1.NormalRequest{})
	}
}

// sendStream reads a stream to its end. It states the criticality, which the method does not.
func sendStream(ctx context.Context, conn *connection, c *call) error {
	if stated := map[criticality]string{critical: "critical", sheddable: "sheddable"}[c.criticality]; stated != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "paddock-criticality", stated)
	}
	stream, err := conn.work.Watch(ctx, &overloadv1.WatchRequest{})
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// way is how a call of an honest shape is made.
type way int

const (
	byDo way = iota
	byAlso
	byDeny
	byREST
)

// sendHonest calls what the call asks for.
func sendHonest(ctx context.Context, conn *connection, c *call) (err error) {
	do := func() *overloadv1.DoRequest {
		return &overloadv1.DoRequest{Wait: durationpb.New(c.ask.wait), Compute: durationpb.New(c.ask.compute), Invalid: c.ask.invalid}
	}
	switch c.ask.way {
	case byDo:
		_, err = conn.honest.Do(ctx, do())
	case byAlso:
		_, err = conn.honest.Also(ctx, &overloadv1.AlsoRequest{Wait: durationpb.New(c.ask.wait)})
	case byDeny:
		_, err = conn.honest.Deny(ctx, &overloadv1.DenyRequest{})
	case byREST:
		err = post(ctx, conn, "/v1/do", do())
	}
	return err
}
