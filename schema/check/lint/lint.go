// Package lint checks a schema surface against rules for documentation, naming, bounds and authority. Each rule has a
// stable id and says what to do. The rules know no project. Rules of thumb say so, and a waiver with a reason overrules
// them.
package lint

import (
	"cmp"
	"fmt"
	"slices"

	"nexus/schema/check/report"
	"nexus/schema/check/surface"
)

// A Rule is one check.
type Rule struct {
	ID    string
	Wants string // what a schema should look like
	Why   string
	check func(*checker)
}

// Rules returns all rules, in the order of the documentation.
func Rules() []Rule {
	return slices.Concat(docRules(), nameRules(), idRules(), boundRules(), shapeRules(), classRules())
}

// WaiverUnused is the rule for waivers that match no finding.
const WaiverUnused = "waiver-unused"

// Check checks the surface against all rules. A finding that matches a waiver is waived. A waiver for a rule of this
// package that matches nothing is a finding itself.
func Check(s *surface.Surface, waivers report.Waivers) *report.Report {
	c := &checker{surface: s}
	var ids []string
	for _, rule := range Rules() {
		ids = append(ids, rule.ID)
		c.rule = rule.ID
		rule.check(c)
	}
	waivers.Apply(c.findings)
	for _, w := range waivers.Unused(ids) {
		c.findings = append(c.findings, report.Finding{
			Rule: WaiverUnused, Symbol: w.Symbol, Verdict: report.Refused,
			Text: fmt.Sprintf("the waiver of %s in line %d matches nothing: remove it", w.Rule, w.Line),
		})
	}
	r := &report.Report{Check: "lint", Findings: c.findings}
	r.Sort()
	return r
}

// A checker collects the findings of the rules.
type checker struct {
	surface  *surface.Surface
	rule     string
	findings []report.Finding
}

func (c *checker) add(symbol string, class surface.Class, format string, args ...any) {
	c.findings = append(c.findings, report.Finding{
		Rule: c.rule, Symbol: symbol, Class: string(class), Verdict: report.Refused, Text: fmt.Sprintf(format, args...),
	})
}

// A value is a field, or a parameter or result of a method.
type value struct {
	surface.Field
	node   *surface.Node
	symbol string
	docs   []string // comments that describe it, the nearest first
	method *surface.Method
}

// values iterates over all fields, parameters and results.
func (c *checker) values(yield func(value) bool) {
	for n := range c.surface.All {
		for _, f := range n.Fields {
			v := value{Field: f, node: n, symbol: n.Symbol() + "." + f.Name, docs: []string{f.Doc, n.Doc, n.File.Doc}}
			if !yield(v) {
				return
			}
		}
		for i := range n.Methods {
			if !methodValues(n, &n.Methods[i], yield) {
				return
			}
		}
	}
}

func methodValues(n *surface.Node, m *surface.Method, yield func(value) bool) bool {
	docs := []string{m.Doc, n.Doc, n.File.Doc}
	symbol := n.Symbol() + "." + m.Name
	for _, f := range m.Params.Fields {
		if !yield(value{Field: f, node: n, method: m, symbol: symbol + "(" + f.Name + ")", docs: docs}) {
			return false
		}
	}
	for _, f := range m.Results.Fields {
		if !yield(value{Field: f, node: n, method: m, symbol: symbol + "->" + f.Name, docs: docs}) {
			return false
		}
	}
	return true
}

// byID returns the declared types by id.
func (c *checker) byID() map[uint64]*surface.Node {
	all := map[uint64]*surface.Node{}
	for n := range c.surface.All {
		all[n.ID] = n
	}
	return all
}

// sortedKeys returns the keys of a map in order, so that findings have a fixed order.
func sortedKeys[V any, K cmp.Ordered](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
