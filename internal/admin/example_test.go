package admin_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/betmakers/paddock/internal/admin"
)

func Example() {
	var level slog.LevelVar
	handler := admin.New(admin.Config{
		Service:  "hello",
		Level:    &level,
		Snapshot: func() admin.Snapshot { return admin.Snapshot{Phase: "serving", Ready: true} },
	})
	defer handler.Close()
	server := httptest.NewServer(handler)
	defer server.Close()

	request, _ := http.NewRequest(http.MethodPut, server.URL+"/debug/log-level", strings.NewReader("debug"))
	response, err := server.Client().Do(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	fmt.Print(response.Status, ": ", string(answer))
	// Output: 200 OK: debug
}
