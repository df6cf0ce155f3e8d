package powers

import (
	"slices"
	"strconv"
	"strings"

	"nexus/libupdates/refusal"
)

// MaxSockets bounds the listening sockets of one bundle.
const MaxSockets = 16

// listen begins a power to listen: the port follows.
const listen = "net.listen:tcp/"

// A Power is what a bundle may do beside computing. The only kind so far is to listen on a TCP port. Its zero value is
// not valid.
type Power struct {
	Port uint16
}

// Listen is the power to listen on a TCP port.
func Listen(port uint16) Power { return Power{Port: port} }

// String returns the one text that Parse accepts for the power.
func (p Power) String() string { return listen + strconv.Itoa(int(p.Port)) }

// IsPower reports whether a capability of a manifest is a power. All others are names.
func IsPower(capability string) bool { return strings.Contains(capability, ":") }

// Parse parses a power. Refusals: UnknownCapability for a kind of power that this system does not have, BadPower for a
// known kind with a port that is none.
func Parse(text string) (Power, error) {
	port, ok := strings.CutPrefix(text, listen)
	if !ok {
		return Power{}, refusal.New(refusal.UnknownCapability, "%q is not a power of this system: it has %sPORT", text,
			listen)
	}
	number, err := ParsePort(port)
	if err != nil {
		return Power{}, refusal.New(refusal.BadPower, "%q: %v", text, err)
	}
	return Power{number}, nil
}

// ParsePort parses a port: 1 to 65535, in decimal without sign, spaces or leading zeros.
func ParsePort(text string) (uint16, error) {
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil || number == 0 || strconv.FormatUint(number, 10) != text {
		return 0, refusal.New(refusal.BadPower, "%q is not a port from 1 to 65535", text)
	}
	return uint16(number), nil
}

// ParseAll parses the powers of one bundle. It refuses, as BadPower, what is asked for twice, and more sockets than
// MaxSockets.
func ParseAll(texts []string) ([]Power, error) {
	var all []Power
	for _, text := range texts {
		p, err := Parse(text)
		switch {
		case err != nil:
			return nil, err
		case slices.Contains(all, p):
			return nil, refusal.New(refusal.BadPower, "%q is asked for twice", text)
		case len(all) == MaxSockets:
			return nil, refusal.New(refusal.BadPower, "%q is one listening socket too many: a bundle has at most %d",
				text, MaxSockets)
		}
		all = append(all, p)
	}
	return all, nil
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
