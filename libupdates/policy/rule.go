package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"nexus/libupdates/nxb"
	"nexus/libupdates/powers"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// A Rule grants powers to bundles.
type Rule struct {
	Line int // of the policy's text, at which it begins
	// Publisher signed the sets that it is for; nil: any that the device trusts.
	Publisher *trust.PublicKey
	Bundle    pattern
	Powers    []powerRange
	// Limit is how many powers one bundle gets by this rule at most.
	Limit int
	// Unlimited says that state may be granted where the machine cannot hold programs to a quota.
	Unlimited bool
	// Downgrade says that the bundles, if they are apps, may be replaced by older versions.
	Downgrade bool
}

// A pattern is the name of a bundle, or the beginning of names followed by `*`.
type pattern string

func parsePattern(text string) (pattern, error) {
	beginning, open := strings.CutSuffix(text, "*")
	name := beginning
	if open {
		name += "x" // any name that the pattern matches begins like that
	}
	if err := nxb.CheckName(name); err != nil {
		return "", fmt.Errorf("%.80q is neither a bundle's name nor the beginning of one and *", text)
	}
	return pattern(text), nil
}

func (p pattern) matches(name string) bool {
	beginning, open := strings.CutSuffix(string(p), "*")
	if open {
		return strings.HasPrefix(name, beginning)
	}
	return name == string(p)
}

// covers reports whether p matches every name that q matches.
func (p pattern) covers(q pattern) bool {
	beginning, open := strings.CutSuffix(string(q), "*")
	if !open {
		return p.matches(string(q))
	}
	return strings.HasSuffix(string(p), "*") && p.matches(beginning)
}

// A powerRange is a range of powers of one kind: by port or size, both ends included, or by name.
type powerRange struct {
	kind        powers.Kind
	first, last int64
	names       pattern // of data and devices; empty otherwise
}

// parseRange parses a pattern of powers: a power, or `*` for all of a kind. Of ports it may be a range such as
// 8000-8999; a size stands for all up to it, and a name may be the beginning of names and `*`.
func parseRange(text string) (powerRange, error) {
	kind, rest, err := powers.Cut(text)
	if err != nil {
		return powerRange{}, err
	}
	switch kind {
	case powers.State:
		return parseSizes(rest)
	case powers.Data, powers.Device:
		names, err := parsePattern(rest)
		return powerRange{kind: kind, names: names}, err
	}
	return parsePorts(kind, rest)
}

func parseSizes(text string) (powerRange, error) {
	if text == "*" {
		return powerRange{kind: powers.State, last: powers.MaxState}, nil
	}
	most, err := powers.ParseSize(text)
	return powerRange{kind: powers.State, last: most}, err
}

func parsePorts(kind powers.Kind, text string) (powerRange, error) {
	if text == "*" {
		return powerRange{kind: kind, first: 1, last: 65535}, nil
	}
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	first, err := powers.ParsePort(from)
	if err != nil {
		return powerRange{}, err
	}
	last, err := powers.ParsePort(to)
	if err != nil {
		return powerRange{}, err
	}
	if first > last {
		return powerRange{}, refusal.New(refusal.BadPower, "%q is a range without a port", text)
	}
	return powerRange{kind: kind, first: int64(first), last: int64(last)}, nil
}

// has reports whether a power is in the range.
func (r powerRange) has(p powers.Power) bool {
	value := int64(p.Port)
	switch {
	case r.kind != p.Kind:
		return false
	case r.names != "":
		return r.names.matches(p.Name)
	case p.Kind == powers.State:
		value = p.Size
	}
	return r.first <= value && value <= r.last
}

// isFor reports whether the rule is about the bundle at all.
func (r Rule) isFor(publisher trust.PublicKey, bundle string) bool {
	return (r.Publisher == nil || *r.Publisher == publisher) && r.Bundle.matches(bundle)
}

// has reports whether the power is among those of the rule.
func (r Rule) has(p powers.Power) bool {
	return slices.ContainsFunc(r.Powers, func(in powerRange) bool { return in.has(p) })
}

// Reach returns the TCP ports that the policy lets any bundle connect to, as ranges without overlaps, in order. What
// starts programs needs to reach no others.
func (p Policy) Reach() (reach [][2]uint16) {
	var all []powerRange
	for _, rule := range p.Rules {
		for _, in := range rule.Powers {
			if in.kind == powers.ConnectTCP && rule.Limit > 0 {
				all = append(all, in)
			}
		}
	}
	slices.SortFunc(all, func(a, b powerRange) int { return cmp.Compare(a.first, b.first) })
	for _, in := range all {
		if last := len(reach) - 1; last >= 0 && in.first <= int64(reach[last][1])+1 {
			reach[last][1] = max(reach[last][1], uint16(in.last))
			continue
		}
		reach = append(reach, [2]uint16{uint16(in.first), uint16(in.last)})
	}
	return reach
}
