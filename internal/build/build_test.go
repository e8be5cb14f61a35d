package build_test

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/betmakers/paddock/internal/build"
)

const (
	chassis = "github.com/betmakers/paddock"
	grpc    = "google.golang.org/grpc"
)

// A test binary carries no build settings, so what the toolchain would stamp is given.
func TestOf(t *testing.T) {
	settings := []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc123"}, {Key: "vcs.time", Value: "2026-11-01T10:00:00Z"}, {Key: "vcs.modified", Value: "true"},
	}
	commit := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		info debug.BuildInfo
		want build.Info
	}{
		"nothing": {debug.BuildInfo{GoVersion: "go1.26"}, build.Info{GoVersion: "go1.26"}},
		"a released service": {
			debug.BuildInfo{
				Main: debug.Module{Path: "a.example/s", Version: "v1.2.3"}, Settings: settings,
				Deps: []*debug.Module{{Path: grpc, Version: "v1.85.0"}, {Path: chassis, Version: "v0.9.0"}},
			},
			build.Info{
				Version: "v1.2.3", Module: "a.example/s", Revision: "abc123", Committed: commit, Modified: true,
				Chassis: "v0.9.0", GRPC: "v1.85.0",
			},
		},
		"a working folder": {
			debug.BuildInfo{
				Main: debug.Module{Path: "a.example/s", Version: "(devel)"}, Settings: settings,
				Deps: []*debug.Module{{Path: chassis, Version: "v0.9.0", Replace: &debug.Module{Path: "../paddock"}}},
			},
			build.Info{Version: "abc123", Module: "a.example/s", Revision: "abc123", Committed: commit, Modified: true},
		},
		"a working folder without version control": {
			debug.BuildInfo{Main: debug.Module{Path: "a.example/s", Version: "(devel)"}},
			build.Info{Module: "a.example/s"},
		},
		"a fork of the chassis": {
			debug.BuildInfo{Deps: []*debug.Module{{Path: chassis, Version: "v0.9.0", Replace: &debug.Module{Path: "a.example/fork", Version: "v0.9.1"}}}},
			build.Info{Chassis: "v0.9.1"},
		},
		"the chassis itself": {
			debug.BuildInfo{Main: debug.Module{Path: chassis, Version: "v0.9.0"}},
			build.Info{Version: "v0.9.0", Module: chassis, Chassis: "v0.9.0"},
		},
		"a time that is none": {
			debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.time", Value: "yesterday"}, {Key: "vcs.modified", Value: "false"}}},
			build.Info{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := build.Of(&test.info); got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestReadIsOfThisBinary(t *testing.T) {
	if got := build.Read(); got.GoVersion != runtime.Version() || got.Module != chassis {
		t.Errorf("got %+v, want the module %s built with %s", got, chassis, runtime.Version())
	}
}
