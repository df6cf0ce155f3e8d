// Package lint holds a schema surface to rules of documentation, naming, bounds and authority. Each rule has a stable
// id and says what to do; none knows a project. Where a rule is a rule of thumb its text says so, and a waiver with a
// reason overrules it.
package lint

import (
	"cmp"
	"fmt"
	"slices"

	"nexus/schema/check/report"
	"nexus/schema/check/surface"
)

// A Rule is one thing that is looked at.
type Rule struct {
	ID    string
	Wants string // what a schema should be like
	Why   string
	check func(*checker)
}

// Rules are all rules, in the order of the documentation.
func Rules() []Rule {
	return slices.Concat(docRules(), nameRules(), idRules(), boundRules(), shapeRules(), classRules())
}

// WaiverUnused is the rule about waivers that cover nothing.
const WaiverUnused = "waiver-unused"

// Check holds the surface to all rules. Waivers turn what they cover into waived findings; a waiver for a rule of this
// package that covers nothing is a finding itself.
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
			Text: fmt.Sprintf("the waiver of %s in line %d covers nothing: remove it", w.Rule, w.Line),
		})
	}
	r := &report.Report{Check: "lint", Findings: c.findings}
	r.Sort()
	return r
}

// A checker collects what the rules find.
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

// A value is what carries data: a field, or a parameter or result of a method.
type value struct {
	surface.Field
	node   *surface.Node
	symbol string
	docs   []string // comments that speak of it, the nearest first
	method *surface.Method
}

// values walks every field, parameter and result.
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

// byID finds the declared types.
func (c *checker) byID() map[uint64]*surface.Node {
	all := map[uint64]*surface.Node{}
	for n := range c.surface.All {
		all[n.ID] = n
	}
	return all
}

// sortedKeys walks a set in order, so that findings do not depend on the map's.
func sortedKeys[V any, K cmp.Ordered](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
