package main

import (
	"context"

	cornershopv1 "github.com/betmakers/paddock/examples/template/gen/corner_shop/v1"
)

// server answers calls: it translates between messages and the domain.
type server struct {
	cornershopv1.UnimplementedCornerShopServiceServer
	items *items
}

func (s *server) AddItem(ctx context.Context, req *cornershopv1.AddItemRequest) (*cornershopv1.AddItemResponse, error) {
	it, err := s.items.add(ctx, item{id: req.GetItemId(), name: req.GetName()})
	if err != nil {
		return nil, err
	}
	return &cornershopv1.AddItemResponse{Item: it.message()}, nil
}

func (s *server) GetItem(ctx context.Context, req *cornershopv1.GetItemRequest) (*cornershopv1.GetItemResponse, error) {
	it, err := s.items.find(ctx, req.GetItemId())
	if err != nil {
		return nil, err
	}
	return &cornershopv1.GetItemResponse{Item: it.message()}, nil
}

func (s *server) GetItemPrice(ctx context.Context, req *cornershopv1.GetItemPriceRequest) (*cornershopv1.GetItemPriceResponse, error) {
	cents, err := s.items.price(ctx, req.GetItemId())
	if err != nil {
		return nil, err
	}
	return &cornershopv1.GetItemPriceResponse{Cents: cents}, nil
}

func (it item) message() *cornershopv1.Item {
	return &cornershopv1.Item{ItemId: it.id, Name: it.name}
}
