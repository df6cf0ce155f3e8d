package policy

import (
	"fmt"
	"slices"

	"nexus/libupdates/powers"
)

// Warnings returns a line for each rule that can never grant anything: its limit is 0, or rules above it, each of which
// is for all of its bundles, grant all of its powers. One that lets apps go down does something.
func (p Policy) Warnings() []string {
	var warnings []string
	for i, rule := range p.Rules {
		why := ""
		switch {
		case rule.Downgrade:
			continue
		case rule.Limit == 0:
			why = "its limit is 0"
		case p.idle(i):
			why = "the rules above it grant all of it"
		default:
			continue
		}
		warnings = append(warnings, fmt.Sprintf("line %d: this rule can never grant anything: %s", rule.Line, why))
	}
	return warnings
}

// idle reports whether the rules above rule n grant all that it could.
func (p Policy) idle(n int) bool {
	var covered []powerRange
	for _, rule := range p.Rules[:n] {
		if rule.covers(p.Rules[n]) {
			covered = append(covered, rule.Powers...)
		}
	}
	return !slices.ContainsFunc(p.Rules[n].Powers, func(all powerRange) bool { return !all.within(covered) })
}

// covers reports whether a rule is for all bundles that another is for, without a limit of its own.
func (r Rule) covers(other Rule) bool {
	publisher := r.Publisher == nil || other.Publisher != nil && *r.Publisher == *other.Publisher
	return publisher && r.Limit == powers.MaxSockets && r.Bundle.covers(other.Bundle) &&
		(r.Unlimited || !other.Unlimited)
}

// within reports whether ranges together have every power of r.
func (r powerRange) within(ranges []powerRange) bool {
	if r.names != "" {
		return slices.ContainsFunc(ranges, func(other powerRange) bool {
			return other.kind == r.kind && other.names.covers(r.names)
		})
	}
	for next := r.first; next <= r.last; {
		reached := next
		for _, other := range ranges {
			if other.kind == r.kind && other.first <= next && next <= other.last {
				reached = max(reached, other.last+1)
			}
		}
		if reached == next {
			return false
		}
		next = reached
	}
	return true
}
