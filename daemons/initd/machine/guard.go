package machine

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"nexus/daemons/plat"
)

// A machine may have several watchdogs, and one that counts down need not be able to restart it: a q35 machine of QEMU
// has the chipset's, whose reset is strapped off. So the one to arm is chosen by what it is and what was seen of it.

// A verdict is what was seen of a watchdog.
type verdict string

const (
	tried verdict = "tried" // it was armed and not petted, and nothing is known of what came of it
	works verdict = "works" // it has restarted the machine
	fails verdict = "fails" // its time was up, and it did not
)

// verdicts are those of the machine's watchdogs, by their names.
type verdicts map[string]verdict

// Names by which watchdogs call themselves.
const (
	dogESB      = "i6300ESB timer"    // QEMU's, which resets the machine
	dogSoftware = "Software Watchdog" // the kernel's own: it restarts a machine whose kernel still runs
	dogTCO      = "iTCO_wdt"          // the chipset's, whose reset a strap or the firmware may have turned off
)

// rank is how good a watchdog is; the lowest is the best.
func (v verdicts) rank(name string) int {
	switch {
	case v[name] == works:
		return 0
	case name == dogESB:
		return 1
	case name != dogSoftware && name != dogTCO:
		return 2
	case name == dogSoftware:
		return 3
	default:
		return 4
	}
}

// order returns the watchdogs that may be armed, the best first; of equal ones the kernel's first. One that was seen to
// fail guards nothing and is left out.
func (v verdicts) order(devices []plat.WatchdogDevice) []plat.WatchdogDevice {
	able := slices.DeleteFunc(slices.Clone(devices), func(d plat.WatchdogDevice) bool { return v[d.Name] == fails })
	slices.SortStableFunc(able, func(a, b plat.WatchdogDevice) int { return v.rank(a.Name) - v.rank(b.Name) })
	return able
}

// dogs is how the machine's watchdogs are found and armed.
type dogs struct {
	list func() ([]plat.WatchdogDevice, error)
	open func(path string, timeout time.Duration) (dog, error)
}

// machineDogs are those of the kernel that runs. One that has no list of them has at most one.
func machineDogs() dogs {
	return dogs{
		list: func() ([]plat.WatchdogDevice, error) {
			found, err := plat.Watchdogs()
			if err == nil && len(found) == 0 {
				found = []plat.WatchdogDevice{{Path: "/dev/watchdog"}}
			}
			return found, err
		},
		open: func(path string, timeout time.Duration) (dog, error) { return plat.OpenWatchdog(path, timeout) },
	}
}

// arm arms the best watchdog that can be opened.
func (d dogs) arm(known verdicts, timeout time.Duration) (armed dog, err error) {
	devices, err := d.list()
	if err != nil {
		return nil, err
	}
	able := known.order(devices)
	if len(able) == 0 {
		return nil, errors.New("those that the machine has do not restart it")
	}
	for _, device := range able {
		armed, openErr := d.open(device.Path, timeout)
		if openErr == nil {
			return armed, nil
		}
		err = cmp.Or(err, openErr)
	}
	return nil, err
}
