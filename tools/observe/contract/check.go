package contract

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

var promql = parser.NewParser(parser.Options{})

// Parse parses an expression as Prometheus does.
func Parse(expr string) (parser.Expr, error) { return promql.ParseExpr(expr) }

// Check parses expr and reports what of it the schema does not have. It returns the labels that the
// result can have.
func (s Schema) Check(expr string) (result []string, complaints []string) {
	tree, err := Parse(expr)
	if err != nil {
		return nil, []string{err.Error()}
	}
	c := checker{schema: s}
	return c.labels(tree).names(), c.complaints
}

// Record adds the series that a rule records, with the labels of its expression and those that it
// sets.
func (s Schema) Record(name, expr string, set ...string) (complaints []string) {
	known, again := s[name]
	if !again {
		s[name] = series{labels: of(set...)} // a rule may read what it recorded before
		if found, _ := s.Check(expr); found != nil {
			s[name] = series{labels: of(found...).with(set...)}
		}
	}
	result, complaints := s.Check(expr)
	s[name] = series{labels: known.labels.with(result...).with(set...)}
	return complaints
}

type checker struct {
	schema     Schema
	complaints []string
}

func (c *checker) complain(format string, args ...any) {
	c.complaints = append(c.complaints, fmt.Sprintf(format, args...))
}

// labels returns the labels that the result of e can have.
func (c *checker) labels(e parser.Expr) set {
	switch e := e.(type) {
	case *parser.VectorSelector:
		return c.selector(e)
	case *parser.MatrixSelector:
		return c.labels(e.VectorSelector)
	case *parser.SubqueryExpr:
		return c.labels(e.Expr)
	case *parser.ParenExpr:
		return c.labels(e.Expr)
	case *parser.StepInvariantExpr:
		return c.labels(e.Expr)
	case *parser.UnaryExpr:
		return c.labels(e.Expr)
	case *parser.AggregateExpr:
		return c.aggregate(e)
	case *parser.Call:
		return c.call(e)
	case *parser.BinaryExpr:
		return c.binary(e)
	default:
		return set{}
	}
}

func (c *checker) selector(e *parser.VectorSelector) set {
	known, ok := c.schema.metric(e.Name)
	if !ok {
		c.complain("there is no metric %q, the nearest is %q", e.Name, c.schema.like(e.Name))
		return set{}
	}
	for _, m := range e.LabelMatchers {
		if m.Name != model.MetricNameLabel && !known.labels[m.Name] {
			c.complain("%s has no label %q", e.Name, m.Name)
		}
	}
	return known.labels
}

func (c *checker) aggregate(e *parser.AggregateExpr) set {
	if e.Param != nil {
		c.labels(e.Param)
	}
	inner := c.labels(e.Expr)
	c.need(inner, e.Grouping, e.Op.String())
	switch {
	case e.Op == parser.TOPK || e.Op == parser.BOTTOMK:
		return inner
	case e.Without:
		return inner.without(e.Grouping...)
	default:
		return of(e.Grouping...)
	}
}

// need complains of names that labels do not have. What scrapes add any series may have.
func (c *checker) need(have set, names []string, where string) {
	for _, name := range names {
		if !have[name] && !slices.Contains(scraped, name) {
			c.complain("%s: no label %q among %s", where, name, strings.Join(have.names(), ", "))
		}
	}
}

func (c *checker) call(e *parser.Call) set {
	result := set{}
	for _, arg := range e.Args {
		if t := arg.Type(); t == parser.ValueTypeVector || t == parser.ValueTypeMatrix {
			result = c.labels(arg)
		}
	}
	switch e.Func.Name {
	case "rate", "increase", "irate":
		c.counters(e)
	case "histogram_quantile":
		c.need(result, []string{"le"}, e.Func.Name)
		return result.without("le")
	case "scalar", "absent", "absent_over_time":
		return set{}
	case "label_replace", "label_join":
		if name, ok := e.Args[1].(*parser.StringLiteral); ok {
			return result.with(name.Val)
		}
	}
	return result
}

func (c *checker) counters(e *parser.Call) {
	parser.Inspect(e, func(node parser.Node, _ []parser.Node) error {
		if v, ok := node.(*parser.VectorSelector); ok {
			if known, ok := c.schema.metric(v.Name); ok && !known.counter {
				c.complain("%s of %s, which is no counter", e.Func.Name, v.Name)
			}
		}
		return nil
	})
}

func (c *checker) binary(e *parser.BinaryExpr) set {
	left, right := c.labels(e.LHS), c.labels(e.RHS)
	vm := e.VectorMatching
	if vm == nil { // one side is a number
		if e.LHS.Type() == parser.ValueTypeScalar {
			return right
		}
		return left
	}
	c.need(left, vm.MatchingLabels, e.Op.String())
	c.need(right, vm.MatchingLabels, e.Op.String())
	switch vm.Card {
	case parser.CardManyToMany:
		if e.Op == parser.LOR {
			return left.with(right.names()...)
		}
		return left
	case parser.CardManyToOne:
		c.need(right, vm.Include, "group_left")
		return left.with(vm.Include...)
	case parser.CardOneToMany:
		c.need(left, vm.Include, "group_right")
		return right.with(vm.Include...)
	case parser.CardOneToOne:
		c.sameLabels(e, left, right)
	}
	if vm.On {
		return of(vm.MatchingLabels...)
	}
	return left.without(vm.MatchingLabels...)
}

// sameLabels complains of a match on all labels of two sides that differ: it would find no pair.
func (c *checker) sameLabels(e *parser.BinaryExpr, left, right set) {
	if e.VectorMatching.On || len(e.VectorMatching.MatchingLabels) > 0 || len(left) == 0 || len(right) == 0 {
		return
	}
	if !slices.Equal(left.without(scraped...).names(), right.without(scraped...).names()) {
		c.complain("%s: one side has the labels %v, the other %v", e.Op, left.names(), right.names())
	}
}
