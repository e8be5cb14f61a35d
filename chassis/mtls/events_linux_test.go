package mtls_test

import "testing"

func needsEvents(*testing.T) {}
