package policy

import (
	"fmt"
	"slices"
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
	Unbounded string // why it cannot keep a program to its sockets; empty: it can
	Unguided  string // why it cannot keep a program to the ports that it connects to; empty: it can
	Stateless string // why it keeps no state of bundles; empty: it does
	Treeless  string // why it cannot show programs the trees of data bundles; empty: it can
	Unlimited string // why it cannot hold a program to the quota of its state; empty: it can
	// NoDevice tells why what is at a path is not a device; empty: it is one, or may become one. Nil: nobody has
	// looked.
	NoDevice func(path string) string
}

// A Decision is on one power of one bundle.
type Decision struct {
	Bundle string
	Power  string
	Line   int    // of the rule that grants it; 0: none does
	Why    string // it is denied; empty: it is granted
	Note   string // what of a granted power this machine cannot bound; empty: nothing
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
			power, err := powers.CheckLast(asking.Powers[:i+1])
			owner, owned := owners[power]
			if err != nil {
				d.Why = refusal.DetailOf(err)
			} else if owned && owner != asking.Bundle {
				d.Why, d.taken = "bundle "+owner+" asks for the same port", true
			} else if d.Why = m.lacks(power); d.Why == "" {
				d = p.grant(m, publisher, d, power, used)
			}
			if d.Granted() && power.Kind == powers.Device {
				d.Why = p.lacksDevice(m, power.Name)
			}
			if !d.Granted() {
				d.Line = 0
			}
			all = append(all, d)
		}
	}
	return all
}

// lacksDevice tells why a device that was granted is none; empty: it is one.
func (p Policy) lacksDevice(m Machine, name string) string {
	device, named := p.Devices[name]
	switch {
	case !named:
		return "the policy does not say which device that is"
	case m.NoDevice == nil:
		return ""
	}
	return m.NoDevice(device.Path)
}

// lacks tells why this machine has nothing of a power for anybody; empty: it has.
func (m Machine) lacks(power powers.Power) string {
	switch {
	case power.Kind == powers.ConnectUDP:
		return "no program can be kept to UDP ports: the system uses no kernel's rules on them"
	case power.Kind == powers.ConnectTCP:
		return m.Unguided
	case power.Kind == powers.State:
		return m.Stateless
	case power.Kind == powers.Data:
		return m.Treeless
	case power.Kind == powers.Device:
		return ""
	case m.Unbounded != "":
		return m.Unbounded
	case power.Port < m.FirstPort:
		return fmt.Sprintf("this machine lets the system open ports from %d on only", m.FirstPort)
	}
	return ""
}

// owners returns the first bundle that asks for each power that only one bundle can have.
func owners(set []Asking) map[powers.Power]string {
	owners := map[powers.Power]string{}
	for _, asking := range set {
		for _, text := range asking.Powers {
			power, err := powers.Parse(text)
			if _, owned := owners[power]; err == nil && !owned && power.Kind == powers.ListenTCP {
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
			if owner, owned := owners[power]; err == nil && owned && owner != asking.Bundle {
				return refusal.New(refusal.PortTaken, "bundles %s and %s both ask for %s", owner, asking.Bundle, text)
			}
		}
	}
	return nil
}

// CheckData refuses, as NoSuchData, a set in which a bundle asks for the data of one that is not in the set, or that
// has none. hasData may be asked about any name.
func CheckData(set []Asking, hasData func(bundle string) bool) error {
	for _, asking := range set {
		for _, power := range powers.Of(powers.Data, asking.Powers) {
			if !hasData(power.Name) {
				return refusal.New(refusal.NoSuchData, "%s asks for %s, and %s is not a data bundle of the set",
					asking.Bundle, power, power.Name)
			}
		}
	}
	return nil
}

// grant finds the first rule that grants a power, or says why none does.
func (p Policy) grant(m Machine, publisher trust.PublicKey, d Decision, power powers.Power, used []int) Decision {
	d.Why = "no rule of the policy grants it"
	if len(p.Rules) == 0 {
		d.Why = "the device has no policy that grants it"
	}
	for i, rule := range p.Rules {
		switch {
		case !rule.isFor(publisher, d.Bundle) || !rule.has(power):
		case power.Kind == powers.State && m.Unlimited != "" && !rule.Unlimited:
			d.Why = fmt.Sprintf("%s; the rule at line %d of the policy does not say unlimited = true", m.Unlimited,
				rule.Line)
		case used[i] >= rule.Limit:
			d.Why = fmt.Sprintf("the rule at line %d of the policy grants a bundle %d of its powers at most", rule.Line,
				rule.Limit)
		default:
			used[i]++
			d.Line, d.Why = rule.Line, ""
			if power.Kind == powers.State {
				d.Note = m.Unlimited
			}
			return d
		}
	}
	return d
}

// Down refuses, as PolicyDenied, to replace apps by the older versions of a set, unless rules let each of them go down.
func (p Policy) Down(publisher trust.PublicKey, set []Asking) error {
	for _, asking := range set {
		if !slices.ContainsFunc(p.Rules, func(r Rule) bool {
			return r.Downgrade && r.isFor(publisher, asking.Bundle)
		}) {
			return refusal.New(refusal.PolicyDenied, "no rule of the policy lets %s go down (`downgrade = true`)",
				asking.Bundle)
		}
	}
	return nil
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
