package openapi_test

import (
	"fmt"
	"testing"

	"github.com/betmakers/paddock/internal/openapi"
)

func ExampleRoutes() {
	routes, err := openapi.Routes(notes(new(testing.T))[0])
	if err != nil {
		panic(err)
	}
	fmt.Println(routes[0].HTTPMethod, routes[0].Pattern)
	fmt.Println(routes[0].FullMethod)
	// Output:
	// GET /v1/{name=notes/*}
	// /notes.v1.NoteService/GetNote
}
