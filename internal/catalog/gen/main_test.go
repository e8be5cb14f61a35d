package main

import (
	"os"
	"testing"

	"github.com/betmakers/paddock/internal/catalog"
)

func TestDocumentationIsNotStale(t *testing.T) {
	got, err := os.ReadFile("../../../" + target)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(render(catalog.All())) {
		t.Errorf("%s differs from the catalogue: run `go run ./internal/catalog/gen`", target)
	}
}
