package chassis

import (
	"crypto/fips140"
	"runtime/debug"

	"github.com/betmakers/paddock/internal/admin"
)

// buildFacts are what the toolchain stamped into the binary.
type buildFacts struct {
	version string // of the service
	facts   []admin.KV
}

func (i *instance) build() buildFacts {
	b := buildFacts{version: i.service.Version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	setting := map[string]string{}
	for _, s := range info.Settings {
		setting[s.Key] = s.Value
	}
	if b.version == "" {
		b.version = info.Main.Version
	}
	add := func(key, value string) {
		if value != "" {
			b.facts = append(b.facts, admin.KV{Key: key, Value: value})
		}
	}
	add("Version", b.version)
	add("Module", info.Main.Path)
	add("Revision", setting["vcs.revision"])
	add("Commit time", setting["vcs.time"])
	if setting["vcs.modified"] == "true" {
		add("Modified", "yes: built from changes that are not committed")
	}
	add("Go", info.GoVersion)
	for _, dep := range info.Deps {
		switch dep.Path {
		case "github.com/betmakers/paddock":
			add("Paddock", dep.Version)
		case "google.golang.org/grpc":
			add("grpc-go", dep.Version)
		}
	}
	return b
}

// fipsMode is whether this process uses Go's FIPS 140-3 module, which GODEBUG or the build has decided.
func fipsMode() admin.KV {
	mode := admin.KV{Key: "FIPS 140-3", Value: "off"}
	if fips140.Enabled() {
		mode.Value = "on"
	}
	return mode
}
