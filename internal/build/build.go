// Package build reads what the Go toolchain stamped into the binary. It is the only reader of
// debug.BuildInfo: metrics, pages, traces and -version agree because they all ask here.
package build

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"time"
)

const (
	chassisModule = "github.com/betmakers/paddock"
	grpcModule    = "google.golang.org/grpc"
)

// Info is what the binary knows of itself. Unknown parts are empty.
type Info struct {
	// Version is that of the main module, else its revision. A build from a working folder without
	// version control has neither.
	Version   string
	Module    string // path of the main module
	Revision  string // of the commit
	Committed time.Time
	Modified  bool   // built from changes that are not committed
	Chassis   string // version of this module; empty where it comes from a folder
	GRPC      string // version of grpc-go
	GoVersion string
}

// Read returns what is stamped into the running binary.
func Read() Info {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Info{GoVersion: runtime.Version()}
	}
	return Of(info)
}

// Of returns the same of another binary's build information.
func Of(info *debug.BuildInfo) Info {
	b := Info{Module: info.Main.Path, GoVersion: info.GoVersion}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Committed, _ = time.Parse(time.RFC3339, s.Value) // unknown if malformed
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	b.Version = cmp.Or(released(info.Main.Version), b.Revision)
	b.Chassis = versionOf(info, chassisModule)
	b.GRPC = versionOf(info, grpcModule)
	return b
}

// versionOf returns the version of a module that the binary was built with.
func versionOf(info *debug.BuildInfo, path string) string {
	if info.Main.Path == path {
		return released(info.Main.Version)
	}
	for _, dep := range info.Deps {
		if dep.Path == path {
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
