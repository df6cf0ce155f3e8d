// Package report holds the findings of the checks and formats them as text, JSON or Markdown.
package report

import (
	"cmp"
	"slices"
)

// A Verdict is the consequence of a finding.
type Verdict string

// The verdicts.
const (
	Refused Verdict = "refused" // the change must not be merged
	Listed  Verdict = "listed"  // for the reviewer to know
	Waived  Verdict = "waived"  // would be refused, but for a waiver
)

// A Finding is one finding of a check.
type Finding struct {
	Rule    string  `json:"rule"`             // stable id, such as `field-retyped`
	Symbol  string  `json:"symbol"`           // such as `update.Status.boot`
	Class   string  `json:"class,omitempty"`  // blessed or lockstep
	Effect  string  `json:"effect,omitempty"` // of a change: breaks, renames or grows
	Verdict Verdict `json:"verdict"`
	Text    string  `json:"text"`             // one line
	Reason  string  `json:"reason,omitempty"` // that of the waiver
}

// A Report has all findings of one run.
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

// Count returns the number of findings with that verdict.
func (r *Report) Count(v Verdict) int {
	n := 0
	for _, f := range r.Findings {
		if f.Verdict == v {
			n++
		}
	}
	return n
}
