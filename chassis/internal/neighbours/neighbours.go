// Package neighbours lets the services of one developer's machine find each other by name. Each
// writes a file with its address into a folder of the user, and removes it at its stop. Production
// does not use it.
package neighbours

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Folder is the folder with the entries. The zero value has none, and takes none.
type Folder string

// DefaultFolder returns the folder of the user: paddock/services in XDG_STATE_HOME, which is
// ~/.local/state unless it is set. It returns the zero value where there is no home.
func DefaultFolder(getenv func(string) string) Folder {
	state := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) { // as the XDG specification requires
		home := getenv("HOME")
		if !filepath.IsAbs(home) {
			return ""
		}
		state = filepath.Join(home, ".local", "state")
	}
	return Folder(filepath.Join(state, "paddock", "services"))
}

// entry is the content of a file.
type entry struct {
	Service string `json:"service"`
	Addr    string `json:"addr"` // of gRPC
	PID     int    `json:"pid"`
	Host    string `json:"host"` // processes of other hosts cannot be looked at
}

// Announce writes that this process serves service at addr. Call withdraw at the stop; further
// calls do nothing.
func (f Folder) Announce(service, addr string) (withdraw func(), err error) {
	if f == "" {
		return func() {}, nil
	}
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return nil, fmt.Errorf("neighbours: %w", err)
	}
	text, err := json.Marshal(entry{service, addr, os.Getpid(), hostname()})
	if err != nil {
		return nil, fmt.Errorf("neighbours: %w", err)
	}
	file, err := os.CreateTemp(string(f), "."+service+"-*")
	if err != nil {
		return nil, fmt.Errorf("neighbours: %w", err)
	}
	_, err = file.Write(text)
	if closing := file.Close(); err == nil {
		err = closing
	}
	name := filepath.Join(string(f), strings.TrimPrefix(filepath.Base(file.Name()), ".")+".json")
	if err == nil {
		err = os.Rename(file.Name(), name) // readers see a whole file
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return nil, fmt.Errorf("neighbours: %w", err)
	}
	return func() { _ = os.Remove(name) }, nil
}

// Addresses returns where running processes of this machine serve service, sorted. Entries of
// processes that have ended, as after a kill, are removed.
func (f Folder) Addresses(service string) (addrs []string) {
	if f == "" {
		return nil
	}
	names, err := filepath.Glob(filepath.Join(string(f), service+"-*.json"))
	if err != nil {
		return nil
	}
	for _, name := range names {
		e, ok := read(name)
		switch {
		case !ok || e.Service != service || e.Host != hostname(): // of another name, as web-shop is for web
		case !runs(e.PID):
			_ = os.Remove(name)
		case !slices.Contains(addrs, e.Addr):
			addrs = append(addrs, e.Addr)
		}
	}
	slices.Sort(addrs)
	return addrs
}

func read(name string) (e entry, ok bool) {
	text, err := os.ReadFile(name)
	if err != nil || json.Unmarshal(text, &e) != nil {
		return entry{}, false
	}
	return e, e.Addr != "" && e.PID > 0
}

func hostname() string {
	name, _ := os.Hostname() // empty is a name too
	return name
}
