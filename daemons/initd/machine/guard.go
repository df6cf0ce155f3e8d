package machine

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"nexus/daemons/plat"
)

// A machine may have several watchdogs, and not every one can reset it: in QEMU's q35 machine the chipset's has its
// reset strapped off. So the one to arm is chosen by its kind and by how it has worked.

// A verdict says how a watchdog has worked.
type verdict string

const (
	tried verdict = "tried" // it was armed and not petted, with an unknown result
	works verdict = "works" // it has reset the machine
	fails verdict = "fails" // it expired, and did not
)

// verdicts are the verdicts on the machine's watchdogs, by name.
type verdicts map[string]verdict

// Names of watchdogs, as their drivers have them.
const (
	dogESB      = "i6300ESB timer"    // QEMU's, which resets the machine
	dogSoftware = "Software Watchdog" // the kernel's own: it works only while the kernel runs
	dogTCO      = "iTCO_wdt"          // the chipset's, whose reset may be disabled by a strap or the firmware
)

// rank says how good a watchdog is; the lowest is the best.
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

// order returns the watchdogs that may be armed, the best first, and equal ones in the kernel's order. Those that
// failed are left out.
func (v verdicts) order(devices []plat.WatchdogDevice) []plat.WatchdogDevice {
	able := slices.DeleteFunc(slices.Clone(devices), func(d plat.WatchdogDevice) bool { return v[d.Name] == fails })
	slices.SortStableFunc(able, func(a, b plat.WatchdogDevice) int { return v.rank(a.Name) - v.rank(b.Name) })
	return able
}

// dogs finds and arms the machine's watchdogs.
type dogs struct {
	list func() ([]plat.WatchdogDevice, error)
	open func(path string, timeout time.Duration) (dog, error)
}

// machineDogs returns the watchdogs of the running kernel. A kernel without a list of them has at most one.
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
		return nil, errors.New("none of the machine's watchdogs resets it")
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
