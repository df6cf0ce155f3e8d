package policy

import (
	"fmt"
	"strings"

	"nexus/libupdates/powers"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// Asking is what one bundle of a set asks for.
type Asking struct {
	Bundle string
	Powers []string
}

// A Machine is what matters of the machine.
type Machine struct {
	FirstPort uint16 // the lowest port that the system may open
	Unbounded string // why it cannot keep a program to what it is granted; empty: it can
}

// A Decision is on one power of one bundle.
type Decision struct {
	Bundle string
	Power  string
	Line   int    // of the rule that grants it; 0: none does
	Why    string // it is denied; empty: it is granted
	taken  bool   // it is denied because another bundle of the set asks for the same port
}

// Granted reports whether the bundle gets the power.
func (d Decision) Granted() bool { return d.Why == "" }

// Decide decides on everything that the bundles of a set ask for, in their order.
func (p Policy) Decide(m Machine, publisher trust.PublicKey, set []Asking) []Decision {
	var all []Decision
	owners := owners(set)
	for _, asking := range set {
		used := make([]int, len(p.Rules)) // how many powers this bundle has by each rule
		for i, text := range asking.Powers {
			d := Decision{Bundle: asking.Bundle, Power: text}
			power, err := check(asking.Powers[:i+1])
			switch {
			case err != nil:
				d.Why = refusal.DetailOf(err)
			case owners[power] != asking.Bundle:
				d.Why, d.taken = "bundle "+owners[power]+" asks for the same port", true
			case m.Unbounded != "":
				d.Why = m.Unbounded
			case power.Port < m.FirstPort:
				d.Why = fmt.Sprintf("this machine lets the system open ports from %d on only", m.FirstPort)
			default:
				d.Line, d.Why = p.grant(publisher, asking.Bundle, power, used)
			}
			all = append(all, d)
		}
	}
	return all
}

// check parses the last of the powers of a bundle. It is not valid if it repeats another, or exceeds their number.
func check(texts []string) (powers.Power, error) {
	last := texts[len(texts)-1]
	power, err := powers.Parse(last)
	if err != nil {
		return power, err
	}
	seen := 0
	for _, text := range texts[:len(texts)-1] {
		if text == last {
			return power, refusal.New(refusal.BadPower, "it is asked for twice")
		}
		if _, err := powers.Parse(text); err == nil {
			seen++
		}
	}
	if seen >= powers.MaxSockets {
		return power, refusal.New(refusal.BadPower, "a bundle has at most %d listening sockets", powers.MaxSockets)
	}
	return power, nil
}

// owners returns the first bundle that asks for each power.
func owners(set []Asking) map[powers.Power]string {
	owners := map[powers.Power]string{}
	for _, asking := range set {
		for _, text := range asking.Powers {
			power, err := powers.Parse(text)
			if _, owned := owners[power]; err == nil && !owned {
				owners[power] = asking.Bundle
			}
		}
	}
	return owners
}

// CheckPorts refuses, as PortTaken, a set in which two bundles ask for one port. No device could run it.
func CheckPorts(set []Asking) error {
	owners := owners(set)
	for _, asking := range set {
		for _, text := range asking.Powers {
			power, err := powers.Parse(text)
			if owner := owners[power]; err == nil && owner != asking.Bundle {
				return refusal.New(refusal.PortTaken, "bundles %s and %s both ask for %s", owner, asking.Bundle, text)
			}
		}
	}
	return nil
}

// grant finds the first rule that grants a power, or says why none does.
func (p Policy) grant(publisher trust.PublicKey, bundle string, power powers.Power, used []int) (line int,
	why string) {
	why = "no rule of the policy grants it"
	if len(p.Rules) == 0 {
		why = "the device has no policy that grants it"
	}
	for i, rule := range p.Rules {
		if !rule.isFor(publisher, bundle) || !rule.has(power) {
			continue
		}
		if used[i] < rule.Limit {
			used[i]++
			return rule.Line, ""
		}
		why = fmt.Sprintf("the rule at line %d of the policy grants a bundle %d of its powers at most", rule.Line,
			rule.Limit)
	}
	return 0, why
}

// maxDetail bounds the text of a refusal, in bytes.
const maxDetail = 8 << 10

// Refuse returns the refusal of a set with these decisions, which names everything that is denied: PortTaken if that is
// only for ports that two bundles ask for, else PolicyDenied. It returns nil if everything is granted.
func Refuse(all []Decision) error {
	reason, denied, size := refusal.PortTaken, []string(nil), 0
	left := 0
	for _, d := range all {
		if d.Granted() {
			continue
		}
		if !d.taken {
			reason = refusal.PolicyDenied
		}
		line := fmt.Sprintf("%s asks for %.130s: %s", d.Bundle, d.Power, d.Why)
		if size += len(line); size > maxDetail {
			left++
			continue
		}
		denied = append(denied, line)
	}
	if left > 0 {
		denied = append(denied, fmt.Sprintf("%d more", left))
	}
	if len(denied) == 0 {
		return nil
	}
	return refusal.New(reason, "%s", strings.Join(denied, "; "))
}
