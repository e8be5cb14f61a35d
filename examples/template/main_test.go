package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/chassis"
	"github.com/betmakers/paddock/chassis/chassistest"

	cornershopv1 "github.com/betmakers/paddock/examples/template/gen/corner_shop/v1"
	pricesv1 "github.com/betmakers/paddock/examples/template/gen/prices/v1"
)

// options give the service a database of its own in the test's folder.
func options(t *testing.T) chassistest.Options {
	t.Helper()
	return chassistest.Options{Env: map[string]string{"DATABASE_URL": "file:" + filepath.Join(t.TempDir(), "items.db")}}
}

func TestItems(t *testing.T) {
	svc := chassistest.Start(t, Service(), options(t))
	web := cornershopv1.NewCornerShopServiceClient(svc.ConnAs("web"))
	for range 2 { // the second time changes nothing
		added, err := web.AddItem(t.Context(), &cornershopv1.AddItemRequest{ItemId: "tea-1", Name: "Green tea"})
		if err != nil || added.GetItem().GetName() != "Green tea" {
			t.Fatalf("got %v, %v", added, err)
		}
	}
	_, err := web.AddItem(t.Context(), &cornershopv1.AddItemRequest{ItemId: "tea-1", Name: "Coffee"})
	if !errors.Is(err, chassis.Reason(cornershopv1.ErrorReason_ITEM_EXISTS)) {
		t.Errorf("another item with the same id: got %v, want ITEM_EXISTS", err)
	}
	_, err = web.GetItem(t.Context(), &cornershopv1.GetItemRequest{ItemId: "tea-2"})
	if !errors.Is(err, chassis.Reason(cornershopv1.ErrorReason_ITEM_NOT_FOUND)) {
		t.Errorf("an item that is not there: got %v, want ITEM_NOT_FOUND", err)
	}
	if status := get(t, svc.HTTP(), "http://rest/v1/items/tea-1"); status != http.StatusOK {
		t.Errorf("by REST: got %d", status)
	}
}

func TestOnlyWebAddsItems(t *testing.T) {
	svc := chassistest.Start(t, Service(), options(t))
	other := cornershopv1.NewCornerShopServiceClient(svc.ConnAs("other"))
	_, err := other.AddItem(t.Context(), &cornershopv1.AddItemRequest{ItemId: "tea-1", Name: "Tea"})
	if refused, ok := chassis.ErrorOf(err); !ok || refused.Code != codes.PermissionDenied {
		t.Errorf("got %v, want PERMISSION_DENIED", err)
	}
}

// prices stands in for the service of that name: a whole service with an answer for this test.
type prices struct {
	pricesv1.UnimplementedPricesServiceServer
}

func (prices) GetPrice(context.Context, *pricesv1.GetPriceRequest) (*pricesv1.GetPriceResponse, error) {
	return &pricesv1.GetPriceResponse{Cents: 250}, nil
}

func TestPrice(t *testing.T) {
	other := chassistest.Start(t, chassis.Service{Name: "prices", Setup: func(_ context.Context, app *chassis.App) error {
		pricesv1.RegisterPricesServiceServer(app, prices{})
		return nil
	}}, chassistest.Options{})
	opts := options(t)
	opts.Peers = map[string]*chassistest.Running{"prices": other}
	web := cornershopv1.NewCornerShopServiceClient(chassistest.Start(t, Service(), opts).ConnAs("web"))

	if _, err := web.AddItem(t.Context(), &cornershopv1.AddItemRequest{ItemId: "tea-1", Name: "Tea"}); err != nil {
		t.Fatal(err)
	}
	got, err := web.GetItemPrice(t.Context(), &cornershopv1.GetItemPriceRequest{ItemId: "tea-1"})
	if err != nil || got.GetCents() != 250 {
		t.Errorf("got %v, %v; want 250 cents", got, err)
	}
}

// The store behaves alike on each database. TEST_DATABASE_URL adds a PostgreSQL, whose items it
// deletes.
func TestStore(t *testing.T) {
	urls := []string{"file:" + filepath.Join(t.TempDir(), "items.db")}
	if url := os.Getenv("TEST_DATABASE_URL"); url != "" {
		urls = append(urls, url)
	}
	for _, url := range urls {
		s := open(t, url)
		if _, err := s.db.ExecContext(t.Context(), "DELETE FROM items"); err != nil {
			t.Fatal(err)
		}
		if _, found, err := s.get(t.Context(), "tea-1"); found || err != nil {
			t.Errorf("before it is put: got %t, %v", found, err)
		}
		tea := item{"tea-1", "Green tea"}
		for _, put := range []item{tea, {"tea-1", "Coffee"}} {
			if kept, err := s.put(t.Context(), put); err != nil || kept != tea {
				t.Errorf("put %v: got %v, %v; want %v", put, kept, err, tea)
			}
		}
		if got, found, err := open(t, url).get(t.Context(), "tea-1"); got != tea || !found || err != nil {
			t.Errorf("opened again: got %v, %t, %v", got, found, err)
		}
	}
}

func open(t *testing.T, url string) *store {
	t.Helper()
	s, err := openStore(t.Context(), url, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.db.Close() })
	return s
}

// Everything that the chassis promises for any service holds for this one.
func TestConformance(t *testing.T) { chassistest.Conformance(t, Service(), options(t)) }

// CONTRACT.md says what the proto says. PADDOCK_UPDATE=1 writes it.
func TestContractIsDocumented(t *testing.T) {
	chassistest.Start(t, Service(), options(t)).ContractIn("CONTRACT.md")
}

// Replicas are replaced under load, and no call is lost: three of them, or one with -short.
func TestRollingRestart(t *testing.T) {
	opts := options(t)
	if _, err := open(t, opts.Env["DATABASE_URL"]).put(t.Context(), item{"tea-1", "Green tea"}); err != nil {
		t.Fatal(err)
	}
	chassistest.RollingRestart(t, Service, chassistest.RestartOptions{
		Rate:    50,
		Options: opts,
		Call: func(ctx context.Context, conn grpc.ClientConnInterface) error {
			_, err := cornershopv1.NewCornerShopServiceClient(conn).GetItem(ctx, &cornershopv1.GetItemRequest{ItemId: "tea-1"})
			return err
		},
		Request: func(ctx context.Context) (*http.Request, error) {
			return http.NewRequestWithContext(ctx, http.MethodGet, "http://rest/v1/items/tea-1", http.NoBody)
		},
	})
}

func get(t *testing.T, client *http.Client, url string) (status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
