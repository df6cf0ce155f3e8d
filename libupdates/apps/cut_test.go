package apps_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// A change takes a device from one set of apps to another.
type change struct {
	name     string
	before   func(*device)
	do       func(*device) error
	from, to string // what runs
}

func changes() []change {
	nothing := func(*device) {}
	web := func(d *device) { d.mustInstall("1.0.0", "web") }
	two := func(d *device) { d.mustInstall("1.0.0", "alpha", "beta") }
	uninstall := func(keep bool, names ...string) func(*device) error {
		return func(d *device) error { return d.apps.Uninstall(d.t.Context(), names, keep) }
	}
	install := func(version string, names ...string) func(*device) error {
		return func(d *device) error { return d.tryInstall(version, names...) }
	}
	return []change{
		{"install", nothing, install("1.0.0", "web"), "", "web 1.0.0"},
		{"install two", web, install("1.0.0", "alpha", "beta"), "web 1.0.0", "alpha 1.0.0, beta 1.0.0, web 1.0.0"},
		{"upgrade", web, install("1.1.0", "web"), "web 1.0.0", "web 1.1.0"},
		{"upgrade two", two, install("1.1.0", "alpha", "beta"), "alpha 1.0.0, beta 1.0.0", "alpha 1.1.0, beta 1.1.0"},
		{"uninstall", web, uninstall(true, "web"), "web 1.0.0", ""},
		{"uninstall with the state", two, uninstall(false, "alpha", "beta"), "alpha 1.0.0, beta 1.0.0", ""},
	}
}

// tryInstall is install whose every step may fail.
func (d *device) tryInstall(version string, bundles ...string) error {
	e, serial, err := d.stage(bundles[0], archive(d.t, version, bundles...), false)
	if err != nil {
		return err
	}
	if err := e.Staging.Switch(d.t.Context(), serial); err != nil {
		return err
	}
	a, refused, err := e.Trial.BootAttempt(d.t.Context(), 0)
	if err = errors.Join(refused, err); err != nil {
		return fmt.Errorf("cannot begin attempt: %w", err)
	}
	_, err = e.Trial.Commit(a.Boot, false)
	return err
}

// finish does the change again where it is not done, from wherever the cut left it.
func (c change) finish(d *device) error {
	for name := range d.apps.Gone() {
		if err := d.apps.Forget(name); err != nil {
			return err
		}
	}
	for _, name := range d.apps.Names() {
		e, err := d.apps.Engine(name)
		if err != nil {
			return err
		}
		a, refused, err := e.Trial.BootAttempt(d.t.Context(), 0) // what runs is intact
		if err = errors.Join(refused, err); err != nil {
			return fmt.Errorf("cannot begin attempt of %s: %w", name, err)
		}
		if _, err := e.Trial.Commit(a.Boot, false); err != nil {
			return err
		}
	}
	if d.versions() == c.to {
		return nil
	}
	return c.do(d)
}

// holds checks a disk after a fault: either all of the change is done or nothing of it, and it can be finished.
func (c change) holds(d *device, disk *durabletest.Disk, newBoot, done bool) error {
	if err := d.tryStart(disk, newBoot); err != nil {
		return err
	}
	if got := d.versions(); got != c.to && (done || got != c.from) {
		return fmt.Errorf("%q runs, done %v", got, done)
	}
	if err := c.finish(d); err != nil {
		return fmt.Errorf("cannot finish: %w", err)
	}
	if got := d.versions(); got != c.to {
		return fmt.Errorf("%q runs in the end", got)
	}
	return nil
}

// made makes the change on a new device. It returns the disk as it was before, and how many operations it had seen
// then.
func (c change) made(t *testing.T) (d *device, base *durabletest.Disk, began int) {
	t.Helper()
	d = newDevice(t)
	c.before(d)
	base = d.disk.Clone()
	d.start(base.Clone(), false)
	began = len(d.disk.Ops())
	must(t, c.do(d))
	return d, base, began
}

// The power is cut, or the process killed, after every operation of every change.
func TestCutAtEveryOperation(t *testing.T) {
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			d, base, began := c.made(t)
			var points []int
			for _, n := range d.disk.Changes() {
				if n >= began {
					points = append(points, n-began)
				}
			}
			checked := durabletest.Checked{}
			for i := range updatestest.Sweep(len(points)) {
				d.start(base.Clone(), false)
				d.disk.CutAfter(points[i])
				done, cut := c.do(d) == nil, d.disk
				err := checked.EveryOutcome(cut, done, func(left *durabletest.Disk) error {
					return c.holds(d, left, true, done)
				})
				if err != nil {
					t.Fatalf("cut after %d, %v", points[i], err)
				}
				cut.Resume()
				if err := c.holds(d, cut, false, done); err != nil {
					t.Fatalf("killed after %d: %v", points[i], err)
				}
			}
		})
	}
}

// A disk that fills up in the middle of a change: the change is refused as such, and can be made once there is room.
func TestFullDisk(t *testing.T) {
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			d, base, began := c.made(t)
			total := len(d.disk.Ops()) - began
			for n := range updatestest.Sweep(total) {
				d.start(base.Clone(), false)
				d.disk.FailFrom(n+1, syscall.ENOSPC)
				err := c.do(d)
				d.disk.Heal()
				if err != nil && refusal.Of(err) != refusal.NoSpace {
					t.Fatalf("full from %d on: %v (%s)", n, err, refusal.Of(err))
				}
				if err := c.holds(d, d.disk, false, err == nil); err != nil {
					t.Fatalf("full from %d on: %v", n, err)
				}
			}
		})
	}
}

// Whatever operators do, and however often the device restarts: no name is held twice, and each app runs a version that
// was committed last, or is on trial.
func TestRandomWalks(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			d, r := newDevice(t), rand.New(rand.NewPCG(seed, 19))
			packages := [][]string{{"web"}, {"alpha", "beta"}, {"beta"}, {"a", "web"}, {"shell"}}
			installed := map[string]string{}
			for range 40 {
				bundles := packages[r.IntN(len(packages))]
				version := fmt.Sprintf("1.%d.0", r.IntN(20))
				switch r.IntN(5) {
				case 0, 1, 2:
					if d.tryInstall(version, bundles...) == nil {
						for _, b := range bundles {
							if was := installed[b]; was != "" && !newer(version, was) {
								t.Fatalf("%s went from %s to %s", b, was, version)
							}
							installed[b] = version
						}
					}
				case 3:
					if d.apps.Uninstall(t.Context(), bundles, r.IntN(2) == 0) == nil {
						d.forget()
						for _, b := range bundles {
							delete(installed, b)
						}
					}
				default:
					d.start(d.disk.Reboot(durabletest.Outcomes()[r.IntN(8)]), true)
				}
				d.checkNames(installed)
			}
		})
	}
}

func newer(version, than string) bool {
	var a, b int
	fmt.Sscanf(version, "1.%d.0", &a)
	fmt.Sscanf(than, "1.%d.0", &b)
	return a > b
}

// checkNames checks that exactly these apps are there, each once, and none with a name of the system.
func (d *device) checkNames(want map[string]string) {
	d.t.Helper()
	var all []string
	for name, version := range want {
		all = append(all, name+" "+version)
	}
	slices.Sort(all)
	got := strings.Split(d.versions(), ", ")
	slices.Sort(got)
	if strings.Join(got, ", ") != strings.Join(all, ", ") {
		d.t.Fatalf("got %q, want %q", got, all)
	}
	if _, is := want["shell"]; is {
		d.t.Fatal("an app has a name of the system")
	}
}
