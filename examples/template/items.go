package main

import (
	"context"
	"regexp"

	"github.com/betmakers/paddock/chassis"

	cornershopv1 "github.com/betmakers/paddock/examples/template/gen/corner_shop/v1"
	pricesv1 "github.com/betmakers/paddock/examples/template/gen/prices/v1"
)

// item is what the service keeps.
type item struct{ id, name string }

// items is the domain: the rules of the service, without gRPC and SQL.
type items struct {
	kept   keeper
	prices pricesv1.PricesServiceClient
}

// keeper keeps items. Its methods may be called concurrently.
type keeper interface {
	// put keeps an item unless one with its id is there, and returns the one that is kept.
	put(ctx context.Context, it item) (item, error)
	// get returns an item, and whether there is one.
	get(ctx context.Context, id string) (item, bool, error)
}

var itemID = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)

// add keeps an item. The same item may be added again. Another one with the same id is refused.
func (s *items) add(ctx context.Context, it item) (item, error) {
	if err := it.check(); err != nil {
		return item{}, err
	}
	kept, err := s.kept.put(ctx, it)
	if err == nil && kept != it {
		err = chassis.Reason(cornershopv1.ErrorReason_ITEM_EXISTS)
	}
	return kept, err
}

func (it item) check() error {
	var wrong []chassis.FieldViolation
	if !itemID.MatchString(it.id) {
		wrong = append(wrong, chassis.FieldViolation{Field: "item_id", Description: "must have 1 to 63 lower-case letters, digits and dashes"})
	}
	if it.name == "" || len(it.name) > 100 {
		wrong = append(wrong, chassis.FieldViolation{Field: "name", Description: "must have 1 to 100 bytes"})
	}
	if wrong == nil {
		return nil
	}
	err := chassis.Reason(cornershopv1.ErrorReason_ITEM_INVALID)
	err.Fields = wrong
	return err
}

func (s *items) find(ctx context.Context, id string) (item, error) {
	it, found, err := s.kept.get(ctx, id)
	if err == nil && !found {
		err = chassis.Reason(cornershopv1.ErrorReason_ITEM_NOT_FOUND)
	}
	return it, err
}

// price asks prices for the price of an item. ctx carries the trace and the deadline along.
func (s *items) price(ctx context.Context, id string) (cents int64, err error) {
	if _, err := s.find(ctx, id); err != nil {
		return 0, err
	}
	got, err := s.prices.GetPrice(ctx, &pricesv1.GetPriceRequest{ArticleId: id})
	return got.GetCents(), err
}
