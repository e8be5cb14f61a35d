package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	_ "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate" // for imports of it

	"github.com/betmakers/paddock/internal/contract"
)

// protoDir is where a service has its .proto files, and contractFile what its tests write: the
// name of the service, and the methods that it serves itself.
const (
	protoDir     = "proto"
	contractFile = "CONTRACT.md"
)

// sources are the files of a service that its contract is read from, by their paths with slashes.
type sources map[string][]byte

// readSources reads a folder, or a revision of the git repository around dir.
func readSources(ctx context.Context, dir, folderOrRevision string) (sources, error) {
	if info, err := os.Stat(folderOrRevision); err == nil && info.IsDir() { //nolint:gosec // the user names the folder
		return readFolder(folderOrRevision)
	}
	return readRevision(ctx, dir, folderOrRevision)
}

func readFolder(dir string) (sources, error) {
	found := sources{}
	root := os.DirFS(dir)
	if text, err := fs.ReadFile(root, contractFile); err == nil {
		found[contractFile] = text
	}
	err := fs.WalkDir(root, protoDir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".proto" {
			return err
		}
		found[name], err = fs.ReadFile(root, name)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no folder %s: run paddock in the folder of a service, or name it", dir, protoDir)
	}
	return found, err
}

func readRevision(ctx context.Context, dir, revision string) (sources, error) {
	if strings.HasPrefix(revision, "-") {
		return nil, fmt.Errorf("%q is neither a folder nor a revision", revision)
	}
	cmd := exec.CommandContext(ctx, "git", "-C", dir, "archive", revision, ".") //nolint:gosec // no flag, and no shell
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%q is neither a folder nor a revision of git: %w: %s", revision, err, strings.TrimSpace(stderr.String()))
	}
	found := sources{}
	for reader := tar.NewReader(bytes.NewReader(out)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		name := path.Clean(header.Name)
		if name == contractFile || strings.HasPrefix(name, protoDir+"/") && path.Ext(name) == ".proto" {
			if found[name], err = io.ReadAll(reader); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// defaults are those of the chassis: CHASSIS_CALL_TIMEOUT is 10s unless it is set.
func defaults() contract.Defaults { return contract.Defaults{Timeout: 10 * time.Second} }

// service is a service as its files describe it.
type service struct {
	name    string
	methods []*contract.Method
}

// load compiles the .proto files of a service. Methods that only its callees have are left out,
// if CONTRACT.md says which are its own. what names the sources in errors.
func (s sources) load(ctx context.Context, what string) (*service, error) {
	files, err := s.compile(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	abs, _ := filepath.Abs(what)
	loaded := &service{name: filepath.Base(abs)}
	var errs []error
	for _, file := range files {
		for i := range file.Services().Len() {
			methods, err := contract.CompileDescriptor(file.Services().Get(i), defaults())
			loaded.methods = append(loaded.methods, methods...)
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if text := s[contractFile]; text != nil {
		loaded.keepOwn(string(text))
	}
	if len(loaded.methods) == 0 {
		return nil, fmt.Errorf("%s has no methods of its own in %s", what, protoDir)
	}
	return loaded, nil
}

const contractTitle = "# The contract of "

func (s *service) keepOwn(text string) {
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, contractTitle); ok {
			s.name = strings.TrimSpace(name)
		}
	}
	// A method that was added after CONTRACT.md was written is of a service that is in it.
	s.methods = slices.DeleteFunc(s.methods, func(m *contract.Method) bool {
		return !strings.Contains(text, "`"+path.Dir(m.Name)+"/")
	})
}

// compile returns the descriptors of the .proto files. Imports of google.api, paddock.v1 and
// buf.validate are those that this program is linked with.
func (s sources) compile(ctx context.Context) ([]protoreflect.FileDescriptor, error) {
	var names []string
	for name := range s {
		if own, ok := strings.CutPrefix(name, protoDir+"/"); ok {
			names = append(names, own)
		}
	}
	slices.Sort(names)
	compiler := protocompile.Compiler{Resolver: protocompile.CompositeResolver{
		&protocompile.SourceResolver{Accessor: func(name string) (io.ReadCloser, error) {
			text, ok := s[protoDir+"/"+name]
			if !ok {
				return nil, fs.ErrNotExist
			}
			return io.NopCloser(bytes.NewReader(text)), nil
		}},
		protocompile.ResolverFunc(func(name string) (protocompile.SearchResult, error) {
			file, err := protoregistry.GlobalFiles.FindFileByPath(name)
			return protocompile.SearchResult{Desc: file}, err
		}),
	}}
	compiled, err := compiler.Compile(ctx, names...)
	if err != nil {
		return nil, err
	}
	known := new(protoregistry.Files)
	for _, file := range compiled {
		if err := relink(file, known); err != nil {
			return nil, err
		}
	}
	var files []protoreflect.FileDescriptor
	for _, name := range names {
		file, err := known.FindFileByPath(name)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// relink adds a file, after its imports, with options of the types that are linked into this
// program in the place of the compiler's own.
func relink(file protoreflect.FileDescriptor, known *protoregistry.Files) error {
	if _, err := known.FindFileByPath(file.Path()); err == nil {
		return nil
	}
	if linked, err := protoregistry.GlobalFiles.FindFileByPath(file.Path()); err == nil {
		return known.RegisterFile(linked)
	}
	imports := file.Imports()
	for i := range imports.Len() {
		if err := relink(imports.Get(i).FileDescriptor, known); err != nil {
			return err
		}
	}
	raw, err := proto.Marshal(protoutil.ProtoFromFileDescriptor(file))
	if err != nil {
		return err
	}
	decoded := &descriptorpb.FileDescriptorProto{}
	if err := proto.Unmarshal(raw, decoded); err != nil {
		return err
	}
	linked, err := protodesc.NewFile(decoded, known)
	if err != nil {
		return err
	}
	return known.RegisterFile(linked)
}
