package inbound_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/betmakers/paddock/internal/fault"
	"github.com/betmakers/paddock/internal/inbound"
)

// step is a line of the list in doc.go.
type step struct{ name, file, function, reason string }

var stepLine = regexp.MustCompile(`(?m)^//\t([a-z -]+?)  +(\w+\.go): (\w+) +(\S.*)`)

// steps returns the list.
func steps(t *testing.T) (all []step) {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range stepLine.FindAllStringSubmatch(string(text), -1) {
		all = append(all, step{line[1], line[2], line[3], line[4]})
	}
	if len(all) < 10 {
		t.Fatalf("doc.go lists %d steps: %v", len(all), all)
	}
	return all
}

// What people are shown is the list.
func TestStepsAreShown(t *testing.T) {
	var want []inbound.Step
	for _, s := range steps(t) {
		want = append(want, inbound.Step{Name: s.name, Reason: s.reason})
	}
	if got := inbound.Steps(); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// functions returns the functions and methods of a file.
func functions(t *testing.T, file string) map[string]*ast.FuncDecl {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*ast.FuncDecl{}
	for _, decl := range parsed.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok {
			all[f.Name.Name] = f
		}
	}
	return all
}

// Every step is where the list says.
func TestStepsHaveTheirFiles(t *testing.T) {
	for _, s := range steps(t) {
		if functions(t, s.file)[s.function] == nil {
			t.Errorf("%s: there is no %s in %s", s.name, s.function, s.file)
		}
	}
}

// The code takes the steps in the order of the list: a walk through Serve, and the functions that
// only put others in order, meets the steps one after the other.
func TestStepsRunInTheirOrder(t *testing.T) {
	pass, wrap := functions(t, "pass.go"), functions(t, "wrap.go")
	spine := map[string]*ast.FuncDecl{
		"Serve": pass["Serve"], "begin": pass["begin"], "admit": pass["admit"], "decide": functions(t, "decide.go")["decide"],
	}
	met := []string{"Serve"}
	var walk func(*ast.FuncDecl)
	walk = func(f *ast.FuncDecl) {
		ast.Inspect(f.Body, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := called(call)
			met = append(met, name)
			if next := spine[name]; next != nil && next != f {
				walk(next)
			}
			return true
		})
	}
	walk(pass["Serve"])
	met = append(met, "withFaults") // the handler that Serve calls is behind them
	ast.Inspect(wrap["newMethod"], func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && called(call) == "withFaults" {
			met = append(met, "its handler")
		}
		return true
	})
	if met[len(met)-1] != "its handler" {
		t.Error("newMethod does not put the faults before the handler")
	}
	at := 0
	for _, s := range steps(t) {
		if s.name == "message" {
			break // the rest is seen by running it
		}
		next := slices.Index(met[at:], s.function)
		if next < 0 {
			t.Fatalf("%s (%s) is not called after the step before: %v", s.name, s.function, met)
		}
		at += next
	}
}

// called returns the name of what a call calls.
func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	default:
		return ""
	}
}

// What stands before the handler itself runs in the order of the list.
func TestStepsBeforeTheHandler(t *testing.T) {
	var ran []string
	note := func(name string) { ran = append(ran, name) }
	f := newChain(t, testHandlers{unary: func(_ context.Context, in *message) (*message, error) {
		note("handler")
		return in, nil
	}}, func(s *setup) {
		s.Validate = func(proto.Message) error { note("message"); return nil }
		s.Unary = []grpc.UnaryServerInterceptor{
			func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
				note("interceptors")
				return next(ctx, req)
			},
		}
	})
	serve := func() { _ = f.method(t, unary).Serve(nil, newFakeStream(t.Context())) }
	serve()
	var want []string
	for _, s := range steps(t) {
		if len(want) > 0 || s.name == "message" {
			want = append(want, s.name)
		}
	}
	if !slices.Equal(ran, want) {
		t.Errorf("ran %v, want %v", ran, want)
	}
	rules, err := fault.Parse(`[{"method": "test.v1.Test/Unary", "abort": "ABORTED"}]`, false)
	if err != nil {
		t.Fatal(err)
	}
	f.SetFaults(rules)
	ran = nil
	if serve(); ran != nil {
		t.Errorf("behind a fault ran %v", ran)
	}
}

// The other places that tell of the steps have the same list.
func TestStepsAreToldAlike(t *testing.T) {
	var names []string
	for _, s := range steps(t) {
		names = append(names, s.name)
	}
	list := regexp.MustCompile(`(?s)observe.*?handler`)
	for _, file := range []string{"../../chassis/doc.go", "../../docs/calls.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, told, ok := strings.Cut(string(text), "The steps of a call, in their order:")
		if !ok {
			t.Errorf("%s does not list the steps of a call", file)
			continue
		}
		found := strings.ReplaceAll(strings.ReplaceAll(list.FindString(told), "\n//", " "), "\n", " ")
		if got := strings.Join(strings.Fields(found), " "); got != strings.Join(names, ", ") {
			t.Errorf("%s lists %s, want %s", file, got, strings.Join(names, ", "))
		}
	}
}
