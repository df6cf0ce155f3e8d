// Package compat says what changed from one schema surface to another, what each change does to those who hold bytes or
// programs made with the old one, and whether the class of what changed allows it. It knows the rules of Cap'n Proto's
// evolution and no project.
package compat

import (
	"fmt"

	"nexus/schema/check/report"
	"nexus/schema/check/surface"
)

// An Effect is what a change does to a peer that was made with the old schema.
type Effect string

// The effects.
const (
	Breaks  Effect = "breaks"  // old and new misread each other, or one cannot be made any more
	Renames Effect = "renames" // the bytes stay; programs must be edited when they are next built
	Grows   Effect = "grows"   // old and new go on understanding each other
)

// Compare returns the findings: a breaking change of what was blessed is refused, every other change is listed.
func Compare(old, new *surface.Surface) *report.Report {
	c := newComparison(old, new)
	c.files()
	r := &report.Report{Check: "compat", Findings: c.findings}
	r.Sort()
	return r
}

// A comparison knows which old declaration became which new one.
type comparison struct {
	old, new *surface.Surface
	ids      map[uint64]uint64 // old id to new id, where a declaration changed its id
	effects  map[string]Effect // by rule
	findings []report.Finding
}

// A subject is what a change is about: who is judged, and in which class. The class that counts is the one it had.
type subject struct {
	symbol string
	class  surface.Class
}

func of(n *surface.Node) subject { return subject{n.Symbol(), n.Class} }

func (s subject) member(name string) subject { return subject{s.symbol + "." + name, s.class} }

func (s subject) part(side, name string) subject {
	if side == results {
		return subject{s.symbol + "->" + name, s.class}
	}
	return subject{s.symbol + "(" + name + ")", s.class}
}

// add notes a change by its rule.
func (c *comparison) add(rule string, s subject, format string, args ...any) {
	effect := c.effects[rule]
	verdict := Judge(effect, s.class)
	c.findings = append(c.findings, report.Finding{
		Rule: rule, Symbol: s.symbol, Class: string(s.class), Effect: string(effect), Verdict: verdict,
		Text: fmt.Sprintf(format, args...),
	})
}

// Judge says what follows from an effect on what was of that class.
func Judge(effect Effect, class surface.Class) report.Verdict {
	if effect == Breaks && class == surface.Blessed {
		return report.Refused
	}
	return report.Listed
}
