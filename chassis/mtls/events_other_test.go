//go:build !linux

package mtls_test

import "testing"

func needsEvents(t *testing.T) { t.Skip("files are only polled here") }
