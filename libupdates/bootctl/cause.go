package bootctl

import "nexus/libupdates/refusal"

// Cause says why a boot began. Only Commanded has a consequence, and that comes from the record alone: see EndBoot. The
// others are what the machine shows, for people: no step depends on them, so a wrong guess does no harm.
type Cause uint8

// The causes. The values are those of schema/bootrecord.capnp.
const (
	Unknown   Cause = iota // not known
	Commanded              // somebody ordered the end of the previous boot
	Crash                  // the previous system ended by itself
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

// CauseOf returns the cause with this name, or Unknown.
func CauseOf(name string) Cause {
	for c := Commanded; c <= Power; c++ {
		if c.String() == name {
			return c
		}
	}
	return Unknown
}

// code returns the cause as an event has it.
func (c Cause) code() refusal.Reason { return refusal.Reason(c.String()) }
