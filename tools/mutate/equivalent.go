package main

import (
	"fmt"
	"os"
	"strings"
)

// equivalent is a list of changes that make no difference. It names them by their text, so that it
// outlives other changes of the file.
type equivalent struct {
	listed map[[3]string]bool
	met    int
}

// readEquivalent reads lines of four parts: path | before | after | reason. Empty lines and those
// that begin with # are left out. An empty name is an empty list.
func readEquivalent(name string) (*equivalent, error) {
	e := &equivalent{listed: map[[3]string]bool{}}
	if name == "" {
		return e, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(line, " | ")
		if len(parts) != 4 || parts[3] == "" {
			return nil, fmt.Errorf("%s:%d: expected path | before | after | reason, got %q", name, number, line)
		}
		e.listed[[3]string{parts[0], flat(parts[1]), flat(parts[2])}] = true
	}
	return e, nil
}

func (e *equivalent) has(name, before, after string) bool {
	if !e.listed[[3]string{name, before, after}] {
		return false
	}
	e.met++
	return true
}
