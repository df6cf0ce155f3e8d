package powers

import (
	"slices"
	"strconv"
	"strings"

	"nexus/libupdates/bundlename"
	"nexus/libupdates/refusal"
)

// MaxSockets bounds the powers of one kind that one bundle has.
const MaxSockets = 16

// A Kind says what a power is about.
type Kind uint8

// The kinds.
const (
	ListenTCP  Kind = iota + 1 // listen on a TCP port
	ConnectTCP                 // connect to a TCP port, of any host
	ConnectUDP                 // send to a UDP port, of any host
	State                      // a folder of the bundle's own, with a quota
	Data                       // read the tree of a data bundle of the same set
	Device                     // use a device of the machine, to which the policy gives a name
)

// kinds are the beginnings of the texts of powers, and what follows.
var kinds = []struct {
	kind         Kind
	prefix, rest string
}{
	{ListenTCP, "net.listen:tcp/", "PORT"},
	{ConnectTCP, "net.connect:tcp/", "PORT"},
	{ConnectUDP, "net.connect:udp/", "PORT"},
	{State, "state:", "SIZE"},
	{Data, "data:", "NAME"},
	{Device, "device:", "NAME"},
}

// A Power is what a bundle may do beside computing. Its zero value is not valid.
type Power struct {
	Kind Kind
	Port uint16 // of the network's kinds
	Size int64  // of State: the quota in bytes
	Name string // of Data: the bundle whose tree it is; of Device: what the policy calls it
}

// Prefix is how the texts of a kind begin.
func (k Kind) Prefix() string { return kinds[k-1].prefix }

// String returns the one text that Parse accepts for the power.
func (p Power) String() string {
	switch p.Kind {
	case State:
		return State.Prefix() + formatSize(p.Size)
	case Data, Device:
		return p.Kind.Prefix() + p.Name
	}
	return p.Kind.Prefix() + strconv.Itoa(int(p.Port))
}

// Variable is the variable of the environment that tells a program where the tree of a data bundle is.
func (p Power) Variable() string {
	return "NEXUS_DATA_" + strings.Map(func(r rune) rune {
		if r == '.' || r == '-' {
			return '_'
		}
		return r
	}, strings.ToUpper(p.Name))
}

// IsPower reports whether a capability of a manifest is a power. All others are names.
func IsPower(capability string) bool { return strings.Contains(capability, ":") }

// Cut separates the text of a power, or of a pattern of powers, into its kind and the rest. It refuses, as
// UnknownCapability, a kind that this system does not have.
func Cut(text string) (Kind, string, error) {
	var all []string
	for _, k := range kinds {
		if rest, ok := strings.CutPrefix(text, k.prefix); ok {
			return k.kind, rest, nil
		}
		all = append(all, k.prefix+k.rest)
	}
	return 0, "", refusal.New(refusal.UnknownCapability, "%q is not a power of this system: it has %s", text,
		strings.Join(all, ", "))
}

// Parse parses a power. Refusals: UnknownCapability for a kind of power that this system does not have, BadPower for a
// known kind with an invalid port, size or name.
func Parse(text string) (p Power, err error) {
	kind, rest, err := Cut(text)
	if err != nil {
		return p, err
	}
	p.Kind = kind
	switch kind {
	case State:
		p.Size, err = ParseSize(rest)
	case Data:
		p.Name, err = rest, bundlename.Check(rest)
	case Device:
		p.Name, err = rest, CheckDevice(rest)
	default:
		p.Port, err = ParsePort(rest)
	}
	if err != nil {
		return Power{}, refusal.New(refusal.BadPower, "%q: %v", text, err)
	}
	return p, nil
}

// CheckDevice checks the name of a device, which has the form of a bundle's.
func CheckDevice(name string) error {
	if bundlename.Check(name) != nil {
		return refusal.New(refusal.BadPower, "%.80q is not a device's name of 1 to %d of [a-z0-9._-]", name, bundlename.Max)
	}
	return nil
}

// ParsePort parses a port: 1 to 65535, in decimal without sign, spaces or leading zeros.
func ParsePort(text string) (uint16, error) {
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil || number == 0 || strconv.FormatUint(number, 10) != text {
		return 0, refusal.New(refusal.BadPower, "%q is not a port from 1 to 65535", text)
	}
	return uint16(number), nil
}

// ParseAll parses the powers of one bundle. It refuses, as BadPower, what is asked for twice, and what is one too many.
func ParseAll(texts []string) ([]Power, error) {
	var all []Power
	for _, text := range texts {
		p, err := Parse(text)
		switch {
		case err != nil:
			return nil, err
		case slices.Contains(all, p):
			return nil, refusal.New(refusal.BadPower, "%q is asked for twice", text)
		}
		if err := p.fits(all); err != nil {
			return nil, refusal.New(refusal.BadPower, "%q is one too many: %v", text, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// CheckLast checks the last of the powers of a bundle beside those before it, whether these are valid or not.
func CheckLast(texts []string) (Power, error) {
	last := len(texts) - 1
	p, err := Parse(texts[last])
	if err != nil {
		return p, err
	}
	var others []Power
	for _, text := range texts[:last] {
		if text == texts[last] {
			return p, refusal.New(refusal.BadPower, "it is asked for twice")
		}
		if other, err := Parse(text); err == nil {
			others = append(others, other)
		}
	}
	return p, p.fits(others)
}

// fits refuses what a bundle may not have beside the other powers that it asks for.
func (p Power) fits(others []Power) error {
	same := 0
	for _, other := range others {
		if other.Kind == p.Kind {
			same++
		}
		if p.Kind == Data && other.Kind == Data && other.Variable() == p.Variable() {
			return refusal.New(refusal.BadPower, "%s would be both this and %s", p.Variable(), other)
		}
	}
	switch {
	case p.Kind == State && same > 0:
		return refusal.New(refusal.BadPower, "a bundle has one folder of state")
	case same < MaxSockets:
		return nil
	case p.Kind == Data:
		return refusal.New(refusal.BadPower, "a bundle reads at most %d data bundles", MaxSockets)
	case p.Kind == Device:
		return refusal.New(refusal.BadPower, "a bundle uses at most %d devices", MaxSockets)
	case p.Kind == ListenTCP:
		return refusal.New(refusal.BadPower, "a bundle has at most %d listening sockets", MaxSockets)
	default:
		return refusal.New(refusal.BadPower, "a bundle connects to at most %d ports of a kind", MaxSockets)
	}
}

// Of returns those of a bundle's powers that are of a kind, in their order. What is not a power is left out.
func Of(kind Kind, texts []string) (all []Power) {
	for _, text := range texts {
		if p, err := Parse(text); err == nil && p.Kind == kind {
			all = append(all, p)
		}
	}
	return all
}

// Among returns the capabilities of a manifest that are powers, in their order.
func Among(capabilities []string) []string {
	var texts []string
	for _, c := range capabilities {
		if IsPower(c) {
			texts = append(texts, c)
		}
	}
	return texts
}
