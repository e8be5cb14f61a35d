package health_test

import (
	"context"
	"errors"
	"runtime"
)

func goexit(context.Context) error { runtime.Goexit(); return nil }

func errProbe(text string) func(context.Context) error {
	return func(context.Context) error { return errors.New(text) }
}
