// Package report is what the checks found and how it is told: as text, as JSON and as Markdown. It decides nothing but
// the wording.
package report

import (
	"cmp"
	"slices"
)

// A Verdict says what follows from a finding.
type Verdict string

// The verdicts.
const (
	Refused Verdict = "refused" // the gate is closed
	Listed  Verdict = "listed"  // a reviewer wants to know; the gate is open
	Waived  Verdict = "waived"  // would be refused, and a waiver says why it is not
)

// A Finding is one thing a check found.
type Finding struct {
	Rule    string  `json:"rule"`             // stable id, e.g. `field-retyped`
	Symbol  string  `json:"symbol"`           // e.g. `update.Status.boot`
	Class   string  `json:"class,omitempty"`  // blessed or lockstep
	Effect  string  `json:"effect,omitempty"` // of a change: breaks, renames or grows
	Verdict Verdict `json:"verdict"`
	Text    string  `json:"text"`             // one line
	Reason  string  `json:"reason,omitempty"` // the waiver's
}

// A Report is all that one run found.
type Report struct {
	Check    string    `json:"check"` // lint or compat
	Findings []Finding `json:"findings"`
}

// Sort orders the findings: refused first, then by symbol and rule.
func (r *Report) Sort() {
	rank := map[Verdict]int{Refused: 0, Waived: 1, Listed: 2}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank[a.Verdict], rank[b.Verdict]), cmp.Compare(a.Symbol, b.Symbol),
			cmp.Compare(a.Rule, b.Rule))
	})
}

// Count says how many findings have the verdict.
func (r *Report) Count(v Verdict) int {
	n := 0
	for _, f := range r.Findings {
		if f.Verdict == v {
			n++
		}
	}
	return n
}
