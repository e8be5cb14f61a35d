package telemetry

import (
	"runtime/debug"
	"testing"
	"time"
)

// This test is inside the package, as a test binary carries no build settings to see from outside.
func TestBuildOf(t *testing.T) {
	settings := []debug.BuildSetting{{Key: "vcs.revision", Value: "abc123"}, {Key: "vcs.time", Value: "2026-11-01T10:00:00Z"}}
	commit := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		info debug.BuildInfo
		want build
	}{
		"nothing": {debug.BuildInfo{GoVersion: "go1.26"}, build{goVersion: "go1.26"}},
		"a released service": {
			debug.BuildInfo{Main: debug.Module{Path: "a.example/s", Version: "v1.2.3"}, Deps: []*debug.Module{{Path: chassisModule, Version: "v0.9.0"}}, Settings: settings},
			build{version: "v1.2.3", revision: "abc123", chassis: "v0.9.0", committed: commit},
		},
		"a working folder": {
			debug.BuildInfo{Main: debug.Module{Path: "a.example/s", Version: "(devel)"}, Deps: []*debug.Module{{Path: chassisModule, Version: "v0.9.0", Replace: &debug.Module{Path: "../paddock"}}}, Settings: settings},
			build{version: "abc123", revision: "abc123", committed: commit},
		},
		"the chassis itself": {
			debug.BuildInfo{Main: debug.Module{Path: chassisModule, Version: "v0.9.0"}},
			build{version: "v0.9.0", chassis: "v0.9.0"},
		},
		"a time that is none": {debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.time", Value: "yesterday"}}}, build{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := buildOf(&test.info); got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}
