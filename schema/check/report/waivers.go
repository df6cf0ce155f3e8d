package report

import (
	"fmt"
	"strings"
)

// A Waiver allows the finding of one rule on one symbol, for a reason.
type Waiver struct {
	Rule   string
	Symbol string // a trailing * matches any ending
	Reason string
	Line   int
	used   bool
}

// Waivers are a project's waivers.
type Waivers []*Waiver

// ParseWaivers parses lines `rule symbol: reason`. Empty lines and lines that start with # are ignored.
func ParseWaivers(text string) (Waivers, error) {
	var all Waivers
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		head, reason, ok := strings.Cut(line, ": ")
		rule, symbol, both := strings.Cut(head, " ")
		if !ok || !both || strings.TrimSpace(reason) == "" || strings.Contains(symbol, " ") {
			return nil, fmt.Errorf("cannot read waivers: line %d is not `rule symbol: reason`", number)
		}
		all = append(all, &Waiver{Rule: rule, Symbol: symbol, Reason: strings.TrimSpace(reason), Line: number})
	}
	return all, nil
}

// Apply marks refused findings that match a waiver as waived.
func (ws Waivers) Apply(findings []Finding) {
	for i := range findings {
		f := &findings[i]
		for _, w := range ws {
			if f.Verdict == Refused && w.covers(f) {
				f.Verdict, f.Reason, w.used = Waived, w.Reason, true
			}
		}
	}
}

func (w *Waiver) covers(f *Finding) bool {
	if w.Rule != f.Rule {
		return false
	}
	if stem, any := strings.CutSuffix(w.Symbol, "*"); any {
		return strings.HasPrefix(f.Symbol, stem)
	}
	return w.Symbol == f.Symbol
}

// Unused returns the waivers of the given rules that matched nothing.
func (ws Waivers) Unused(rules []string) Waivers {
	known := map[string]bool{}
	for _, r := range rules {
		known[r] = true
	}
	var unused Waivers
	for _, w := range ws {
		if known[w.Rule] && !w.used {
			unused = append(unused, w)
		}
	}
	return unused
}
