package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/tools/txtar"
)

// new makes a service from the template. It writes nothing unless all of it can be rendered and
// the folder is new or empty.
func (t *tool) new(ctx context.Context, args []string) error {
	flags := t.flags("new NAME")
	path := flags.String("module", "", "path of the Go module, such as github.com/you/orders (default example.com/NAME)")
	dir := flags.String("dir", "", "folder to make (default NAME)")
	from := flags.String("chassis", "", "checkout of Paddock to use (default: the release or the checkout that paddock was built from)")
	rest, err := parse(flags, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return t.wrong("new needs one name, such as: paddock new orders")
	}
	name := rest[0]
	if *path == "" {
		*path = "example.com/" + name
	}
	if *dir == "" {
		*dir = name
	}
	if err := checkName(name); err != nil {
		return err
	}
	if err := module.CheckImportPath(*path); err != nil {
		return fmt.Errorf("-module: %w", err)
	}
	found, err := findChassis(*from)
	if err != nil {
		return err
	}
	files, err := render(name, *path, found)
	if err != nil {
		return err
	}
	if err := write(*dir, files); err != nil {
		return err
	}
	t.initGit(ctx, *dir)
	t.next(name, *dir, found)
	return nil
}

// write makes a folder with files. It refuses one that has something in it.
func write(dir string, files []txtar.File) error {
	switch entries, err := os.ReadDir(dir); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty: choose another folder with -dir", dir)
	}
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // source code
			return err
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil { //nolint:gosec // the same
			return err
		}
	}
	return nil
}

// initGit makes a repository, unless the folder is in one. A service can do without, so a failure
// is only told.
func (t *tool) initGit(ctx context.Context, dir string) {
	if exec.CommandContext(ctx, "git", "-C", dir, "rev-parse", "--is-inside-work-tree").Run() == nil { //nolint:gosec // no shell
		return
	}
	if out, err := exec.CommandContext(ctx, "git", "-C", dir, "init", "-q", "-b", "main").CombinedOutput(); err != nil { //nolint:gosec // the same
		_, _ = fmt.Fprintf(t.stderr, "paddock: no git repository was made: %v %s\n", err, strings.TrimSpace(string(out)))
	}
}

func (t *tool) next(name, dir string, from origin) {
	t.print("%s is in %s. Next:\n\n", name, dir)
	if from.version != "" {
		t.print("    cd %s && go mod tidy\n", dir)
	} else {
		t.print("    cd %s\n", dir)
	}
	t.print("    make test    # the first time compiles SQLite, which takes some minutes\n" +
		"    make run     # then: curl localhost:8080/v1/items/tea-1\n\n")
	if from.dir != "" {
		t.print("Its go.mod uses the chassis in %s,\nas Paddock has no release yet. On another machine change that line.\n", from.dir)
	}
	t.print("README.md says where things are.\n")
}
