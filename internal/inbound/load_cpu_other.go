//go:build !unix

package inbound

import "time"

// processCPU is not known: no load is told, and clients give the server an average share.
func processCPU() time.Duration { return 0 }
