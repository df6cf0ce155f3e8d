// Package compat compares two schema surfaces. It reports what changed, how each change affects those who hold bytes or
// programs made with the old one, and whether the class of what changed allows it. It knows the rules of Cap'n Proto's
// evolution, but no project.
package compat

import (
	"fmt"

	"nexus/schema/check/report"
	"nexus/schema/check/surface"
)

// An Effect is the effect of a change on a peer that was built with the old schema.
type Effect string

// The effects.
const (
	Breaks  Effect = "breaks"  // old and new misread each other, or one cannot be built any more
	Renames Effect = "renames" // the bytes are the same; programs must be edited at their next build
	Grows   Effect = "grows"   // old and new still understand each other
)

// Compare returns the findings: a breaking change of a blessed declaration is refused, every other change is listed.
func Compare(old, new *surface.Surface) *report.Report {
	c := newComparison(old, new)
	c.files()
	r := &report.Report{Check: "compat", Findings: c.findings}
	r.Sort()
	return r
}

// A comparison maps old declarations to new ones.
type comparison struct {
	old, new *surface.Surface
	ids      map[uint64]uint64 // old id to new id, if a declaration changed its id
	effects  map[string]Effect // by rule
	findings []report.Finding
}

// A subject is what changed, with its class. The class that counts is the old one.
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

// add adds a finding for a change.
func (c *comparison) add(rule string, s subject, format string, args ...any) {
	effect := c.effects[rule]
	verdict := Judge(effect, s.class)
	c.findings = append(c.findings, report.Finding{
		Rule: rule, Symbol: s.symbol, Class: string(s.class), Effect: string(effect), Verdict: verdict,
		Text: fmt.Sprintf(format, args...),
	})
}

// Judge returns the verdict on an effect for a class.
func Judge(effect Effect, class surface.Class) report.Verdict {
	if effect == Breaks && class == surface.Blessed {
		return report.Refused
	}
	return report.Listed
}
