package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
)

const chassisModule = "github.com/betmakers/paddock"

// origin is where a new service gets the chassis: from a folder, or by a released version.
type origin struct {
	dir, version string
}

// findChassis returns the chassis in dir. Without dir it is the release that this program was
// built with, or the checkout that it was built in.
func findChassis(dir string) (origin, error) {
	if dir != "" {
		abs, err := filepath.Abs(dir)
		if err == nil && !isChassis(abs) {
			err = fmt.Errorf("-chassis %s: there is no go.mod of %s in it", dir, chassisModule)
		}
		return origin{dir: abs}, err
	}
	if version := released(); version != "" {
		return origin{version: version}, nil
	}
	if _, file, _, ok := runtime.Caller(0); ok {
		if checkout := filepath.Join(filepath.Dir(file), "..", ".."); isChassis(checkout) {
			return origin{dir: checkout}, nil
		}
	}
	return origin{}, errors.New("Paddock has no release yet, and the checkout that this program was built in is gone: " +
		"pass -chassis DIR, with a checkout of " + chassisModule)
}

// released returns the version of the chassis that this program is linked with, if it is a
// release.
func released() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, dep := range info.Deps {
		if dep.Path == chassisModule && dep.Replace == nil && dep.Version != "v0.0.0" {
			return dep.Version
		}
	}
	return ""
}

func isChassis(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return err == nil && strings.HasPrefix(string(text), "module "+chassisModule+"\n")
}

var requireLine = regexp.MustCompile(`(?m)^\t` + regexp.QuoteMeta(chassisModule) + ` v0\.0\.0$`)

// require makes the go.mod of the template one that finds c.
func (c origin) require(mod string) (string, error) {
	if !strings.Contains(mod, replaceLine) || !requireLine.MatchString(mod) {
		return "", errors.New("the template's go.mod has no line of the chassis to replace")
	}
	if c.version != "" {
		mod = strings.Replace(mod, "\n"+replaceLine, "", 1)
		return requireLine.ReplaceAllLiteralString(mod, "\t"+chassisModule+" "+c.version), nil
	}
	dir := c.dir
	if strings.ContainsAny(dir, " \t\"'`") {
		dir = fmt.Sprintf("%q", dir)
	}
	return strings.Replace(mod, replaceLine, "replace "+chassisModule+" => "+dir+"\n", 1), nil
}
