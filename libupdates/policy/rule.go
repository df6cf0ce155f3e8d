package policy

import (
	"fmt"
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
	Ports     []portRange
	// Limit is how many powers one bundle gets by this rule at most.
	Limit int
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

// A portRange is a range of ports, both ends included.
type portRange struct{ first, last uint16 }

// listenPrefix begins a pattern of powers to listen.
const listenPrefix = "net.listen:tcp/"

// parseRange parses a pattern of powers: a power, one with a range of ports such as 8000-8999, or one with `*`.
func parseRange(text string) (portRange, error) {
	ports, ok := strings.CutPrefix(text, listenPrefix)
	if !ok {
		_, err := powers.Parse(text)
		return portRange{}, err
	}
	if ports == "*" {
		return portRange{1, 65535}, nil
	}
	from, to, isRange := strings.Cut(ports, "-")
	if !isRange {
		to = from
	}
	first, err := powers.ParsePort(from)
	if err != nil {
		return portRange{}, err
	}
	last, err := powers.ParsePort(to)
	if err != nil {
		return portRange{}, err
	}
	if first > last {
		return portRange{}, refusal.New(refusal.BadPower, "%q is a range without a port", ports)
	}
	return portRange{first, last}, nil
}

func (r portRange) has(port uint16) bool { return r.first <= port && port <= r.last }

// isFor reports whether the rule is about the bundle at all.
func (r Rule) isFor(publisher trust.PublicKey, bundle string) bool {
	return (r.Publisher == nil || *r.Publisher == publisher) && r.Bundle.matches(bundle)
}

// has reports whether the power is among those of the rule.
func (r Rule) has(p powers.Power) bool {
	for _, ports := range r.Ports {
		if ports.has(p.Port) {
			return true
		}
	}
	return false
}
