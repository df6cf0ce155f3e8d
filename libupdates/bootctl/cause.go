package bootctl

import "nexus/libupdates/refusal"

// Cause is why a boot began. Only that it was ordered has a consequence, and that is known from the record alone: see
// EndBoot. The rest is what the machine shows, for people: no step depends on it, so a wrong guess does no harm.
type Cause uint8

// The causes. The values are those of schema/bootrecord.capnp.
const (
	Unknown   Cause = iota // nothing tells
	Commanded              // somebody ordered the end of the boot before
	Crash                  // the system before ended by itself
	Watchdog               // it hung, and the watchdog reset the machine
	Power                  // the machine had no power
)

// String returns the cause's name.
func (c Cause) String() string {
	switch c {
	case Commanded:
		return "commanded"
	case Crash:
		return "crash"
	case Watchdog:
		return "watchdog"
	case Power:
		return "power"
	default:
		return "unknown"
	}
}

// CauseOf returns the cause of that name; a name that is none is Unknown.
func CauseOf(name string) Cause {
	for c := Commanded; c <= Power; c++ {
		if c.String() == name {
			return c
		}
	}
	return Unknown
}

// code is the cause as an event has it.
func (c Cause) code() refusal.Reason { return refusal.Reason(c.String()) }
