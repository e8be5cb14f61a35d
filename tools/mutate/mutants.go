package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// mutant is one change of one file.
type mutant struct {
	file       string // absolute
	name       string // relative, for reports
	tests      []string
	start, end int // offsets of what is replaced
	with       string
	line       int
}

// target is what an argument names.
type target struct {
	path  string
	tests []string
}

func parseTarget(arg string) target {
	path, tests, named := strings.Cut(arg, "=")
	path = filepath.Clean(path)
	if named {
		return target{path, strings.Split(tests, ",")}
	}
	folder := path
	if strings.HasSuffix(path, ".go") {
		folder = filepath.Dir(path)
	}
	return target{path, []string{"./" + filepath.ToSlash(folder)}}
}

// files returns the sources of a target: no tests, and nothing that was generated.
func (t target) files() ([]string, error) {
	if strings.HasSuffix(t.path, ".go") {
		return []string{t.path}, nil
	}
	all, err := filepath.Glob(filepath.Join(t.path, "*.go"))
	all = slices.DeleteFunc(all, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s has no Go files", t.path)
	}
	return all, err
}

// mutants returns every change of a target's files, in their order.
func (t target) mutants() ([]mutant, error) {
	files, err := t.files()
	if err != nil {
		return nil, err
	}
	var all []mutant
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		found, err := mutantsOf(file, source)
		if err != nil {
			return nil, err
		}
		absolute, err := filepath.Abs(file)
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			m.file, m.name, m.tests = absolute, filepath.ToSlash(file), t.tests
			all = append(all, m)
		}
	}
	return all, nil
}

func mutantsOf(name string, source []byte) ([]mutant, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil || ast.IsGenerated(file) {
		return nil, err
	}
	f := &finder{source: string(source), offset: func(p token.Pos) int { return fset.Position(p).Offset }}
	ast.Inspect(file, f.visit)
	for i := range f.found {
		f.found[i].line = 1 + strings.Count(f.source[:f.found[i].start], "\n")
	}
	return f.found, nil
}

// finder collects the changes of one file.
type finder struct {
	source string
	offset func(token.Pos) int
	found  []mutant
}

// operators are what takes an operator's place: its boundary and its opposite for comparisons.
var operators = map[token.Token][]string{
	token.LSS: {"<=", ">="}, token.LEQ: {"<", ">"}, token.GTR: {">=", "<="}, token.GEQ: {">", "<"},
	token.EQL: {"!="}, token.NEQ: {"=="}, token.LAND: {"||"}, token.LOR: {"&&"},
	token.ADD: {"-"}, token.SUB: {"+"}, token.MUL: {"/"}, token.QUO: {"*"}, token.REM: {"*"},
	token.AND: {"|"}, token.OR: {"&"}, token.XOR: {"&"}, token.SHL: {">>"}, token.SHR: {"<<"}, token.AND_NOT: {"&"},
	token.ADD_ASSIGN: {"-="}, token.SUB_ASSIGN: {"+="}, token.MUL_ASSIGN: {"/="}, token.QUO_ASSIGN: {"*="},
	token.INC: {"--"}, token.DEC: {"++"},
}

func (f *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec, *ast.Field: // tags and types
		return false
	case *ast.BinaryExpr:
		f.operator(n.OpPos, n.Op)
	case *ast.IfStmt:
		f.negate(n.Cond)
	case *ast.ForStmt:
		f.negate(n.Cond)
	case *ast.BasicLit:
		f.constant(n)
	case *ast.Ident:
		f.truth(n)
	case *ast.BlockStmt:
		f.removals(n.List)
	case *ast.CaseClause:
		f.values(n.List)
		f.removals(n.Body)
	case *ast.CommClause:
		f.removals(n.Body)
	case *ast.AssignStmt:
		f.operator(n.TokPos, n.Tok)
	case *ast.IncDecStmt:
		f.operator(n.TokPos, n.Tok)
	}
	return true
}

func (f *finder) replace(start, end token.Pos, with string) {
	f.found = append(f.found, mutant{start: f.offset(start), end: f.offset(end), with: with})
}

func (f *finder) text(n ast.Node) string { return f.source[f.offset(n.Pos()):f.offset(n.End())] }

func (f *finder) operator(at token.Pos, op token.Token) {
	for _, other := range operators[op] {
		f.replace(at, at+token.Pos(len(op.String())), other)
	}
}

func (f *finder) negate(condition ast.Expr) {
	if condition != nil {
		f.replace(condition.Pos(), condition.End(), "!("+f.text(condition)+")")
	}
}

// constant replaces a number by another.
func (f *finder) constant(lit *ast.BasicLit) {
	switch lit.Kind {
	case token.INT:
		if n, err := strconv.ParseInt(lit.Value, 0, 64); err == nil {
			f.replace(lit.Pos(), lit.End(), strconv.FormatInt(n+1, 10))
		}
	case token.FLOAT:
		if x, err := strconv.ParseFloat(lit.Value, 64); err == nil {
			f.replace(lit.Pos(), lit.End(), strconv.FormatFloat(2*x, 'g', -1, 64))
		}
	}
}

func (f *finder) truth(id *ast.Ident) {
	switch id.Name {
	case "true":
		f.replace(id.Pos(), id.End(), "false")
	case "false":
		f.replace(id.Pos(), id.End(), "true")
	}
}

// values takes each value out of a case that has several.
func (f *finder) values(list []ast.Expr) {
	if len(list) < 2 {
		return
	}
	f.replace(list[0].Pos(), list[1].Pos(), "")
	for i := range list[1:] {
		f.replace(list[i].End(), list[i+1].End(), "")
	}
}

// removals takes statements out by putting them into functions that nothing calls, so that whatever
// they use remains used.
func (f *finder) removals(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.SendStmt, *ast.GoStmt, *ast.DeferStmt:
		default:
			continue
		}
		f.replace(s.Pos(), s.End(), "_ = func() { "+f.text(s)+" }")
	}
}

// mutated is the source with the change.
func (m mutant) mutated(source string) string { return source[:m.start] + m.with + source[m.end:] }

// lines are the changed lines before and after, without their indentation.
func (m mutant) lines(source string) (before, after string) {
	first := 1 + strings.LastIndexByte(source[:m.start], '\n')
	rest := strings.IndexByte(source[m.end:], '\n')
	last := len(source)
	if rest >= 0 {
		last = m.end + rest
	}
	return flat(source[first:last]), flat(source[first:m.start] + m.with + source[m.end:last])
}

// flat puts a text on one line.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }
