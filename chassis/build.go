package chassis

import (
	"cmp"
	"crypto/fips140"
	"time"

	"github.com/betmakers/paddock/internal/admin"
	"github.com/betmakers/paddock/internal/build"
)

// buildFacts are what the toolchain stamped into the binary.
type buildFacts struct {
	version string // of the service; empty where nothing says it
	facts   []admin.KV
}

// readBuild returns the build's facts. Version is the service's own version, empty for none.
func readBuild(version string) buildFacts {
	info := build.Read()
	b := buildFacts{version: cmp.Or(version, info.Version)}
	add := func(key, value string) {
		if value != "" {
			b.facts = append(b.facts, admin.KV{Key: key, Value: value})
		}
	}
	add("Version", b.version)
	add("Module", info.Module)
	add("Revision", info.Revision)
	if !info.Committed.IsZero() {
		add("Commit time", info.Committed.UTC().Format(time.RFC3339))
	}
	if info.Modified {
		add("Modified", "yes: built from changes that are not committed")
	}
	add("Go", info.GoVersion)
	add("Paddock", info.Chassis)
	add("grpc-go", info.GRPC)
	return b
}

// fipsMode reports whether this process uses Go's FIPS 140-3 module, which GODEBUG or the build
// decides.
func fipsMode() admin.KV {
	mode := admin.KV{Key: "FIPS 140-3", Value: "off"}
	if fips140.Enabled() {
		mode.Value = "on"
	}
	return mode
}
