package telemetry

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"time"
)

const chassisModule = "github.com/betmakers/paddock"

// build is what the binary knows of itself; unknown parts are empty.
type build struct {
	version, revision, chassis, goVersion string
	committed                             time.Time
}

func readBuild() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return build{goVersion: runtime.Version()}
	}
	return buildOf(info)
}

func buildOf(info *debug.BuildInfo) build {
	b := build{goVersion: info.GoVersion}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.revision = s.Value
		case "vcs.time":
			b.committed, _ = time.Parse(time.RFC3339, s.Value) // unknown if malformed
		}
	}
	b.version = cmp.Or(released(info.Main.Version), b.revision)
	b.chassis = chassisVersion(info)
	return b
}

func chassisVersion(info *debug.BuildInfo) string {
	if info.Main.Path == chassisModule {
		return released(info.Main.Version)
	}
	for _, dep := range info.Deps {
		if dep.Path == chassisModule {
			if dep.Replace != nil {
				dep = dep.Replace
			}
			return released(dep.Version)
		}
	}
	return ""
}

// released returns a module version, or nothing for a build from a working folder.
func released(version string) string {
	if version == "(devel)" {
		return ""
	}
	return version
}
