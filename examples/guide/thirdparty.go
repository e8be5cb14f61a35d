package guide

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"google.golang.org/grpc/codes"

	"github.com/betmakers/paddock/chassis"
)

// weather asks a third party.
type weather struct {
	client *http.Client // app.HTTPClient("weather")
	url    string
}

func (w *weather) temperature(ctx context.Context) (celsius float64, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url, http.NoBody)
	if err != nil {
		return 0, err
	}
	answer, err := w.client.Do(request)
	if err != nil {
		return 0, &chassis.Error{Code: codes.Unavailable, Message: "the weather is not known", Cause: err}
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return 0, &chassis.Error{Code: codes.Unavailable, Message: "the weather is not known"}
	}
	var body struct{ Celsius float64 }
	err = json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&body)
	return body.Celsius, err
}
