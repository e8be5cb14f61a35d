// Command write writes the rules and dashboards of Paddock into a folder, as plain files and as
// Kubernetes objects:
//
//	go run github.com/betmakers/paddock/telemetry/dashboards/write@latest FOLDER
//
// It replaces the files that it has written before and leaves others alone.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/betmakers/paddock/telemetry/alerts"
	"github.com/betmakers/paddock/telemetry/dashboards"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: write FOLDER")
		os.Exit(2)
	}
	for _, files := range []map[string][]byte{alerts.Files(), dashboards.Files()} {
		if err := write(os.Args[1], files); err != nil {
			fmt.Fprintln(os.Stderr, "write:", err)
			os.Exit(1)
		}
	}
}

func write(folder string, files map[string][]byte) error {
	for name, content := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
