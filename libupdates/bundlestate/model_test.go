package bundlestate_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/bundlestate"
	"nexus/libupdates/bundlestate/bundlestatetest"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
)

// A device is the boot record as far as it matters, and what each version has to find.
type device struct {
	disk            *durabletest.Disk
	active, pending byte // versions; 0: the set does not have the bundle
	back            byte // the version to return to, under watch
	watched         bool
	trial, serial   uint64
	// by version: what it may find; more than one where it was cut short while it wrote
	found map[byte][]string
}

const bundle = "web"

func identity(version byte) (id bundlestate.Identity) {
	id[0] = version
	return id
}

func (d *device) want() bundlestate.Want {
	switch {
	case d.trial != 0:
		return bundlestate.Want{Runs: identity(d.pending), Returns: true, Back: identity(d.active), Trial: d.trial}
	case d.watched:
		return bundlestate.Want{Runs: identity(d.active), Returns: true, Back: identity(d.back)}
	}
	return bundlestate.Want{Runs: identity(d.active)}
}

func (d *device) states() bundlestatetest.Disk { return bundlestatetest.Disk{Disk: d.disk} }

func (d *device) store() bundlestate.Store { return bundlestate.Store{Disk: d.states()} }

// move is one step of the boot record, which is one store.
func (d *device) move(r *rand.Rand) {
	switch step := r.IntN(6); {
	case d.trial == 0 && step < 3: // a switch to the same version, to another, or to a set without the bundle
		d.serial++
		d.trial, d.pending, d.watched = d.serial, byte(r.IntN(4)), false
		d.inherit(d.pending, d.active)
	case d.trial != 0 && step < 3: // a commit, with or without a watch
		d.back, d.active, d.trial, d.watched = d.active, d.pending, 0, step > 0
	case d.trial != 0: // a rollback
		d.trial = 0
	case d.watched && step < 5: // a crash loop
		d.active, d.watched = d.back, false
	case d.watched:
		d.watched = false
	case step == 5 && d.back != 0: // an operator goes back with nothing kept: the state goes along
		d.inherit(d.back, d.active)
		d.active, d.back = d.back, 0
	}
}

func (d *device) inherit(version, from byte) {
	if version != from {
		d.found[version] = d.found[from]
	}
}

// run lets the version that is to run have its state, and write to it.
func (d *device) run(text string) error {
	version := d.active
	if d.trial != 0 {
		version = d.pending
	}
	if err := d.store().Settle(bundle, d.want()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if version == 0 {
		return nil
	}
	name, err := d.store().Open(bundle, d.want())
	if err != nil {
		return err
	}
	got, err := d.states().Read(name)
	if err != nil {
		return err
	}
	if !slices.Contains(d.found[version], got) {
		return fmt.Errorf("version %d of %+v found %q, want one of %q", version, d, got, d.found[version])
	}
	d.found[version] = []string{got, got + text}
	if err := d.states().Write(name, got+text); err != nil {
		return err
	}
	d.found[version] = []string{got + text}
	return nil
}

// TestCodeAndStateBelongTogether takes devices through random steps with the power cut after random operations: each
// version finds what it has left, or the version before its trial, whatever trials in between wrote.
func TestCodeAndStateBelongTogether(t *testing.T) {
	runs, cuts := 0, 0
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 18))
		d := &device{disk: durabletest.New(), active: byte(r.IntN(3)), found: map[byte][]string{}}
		for version := range byte(4) {
			d.found[version] = []string{""}
		}
		for step := range 40 {
			d.move(r)
			if r.IntN(2) == 0 {
				d.disk.CutAfter(r.IntN(40))
			}
			err := d.run(fmt.Sprintf("%d ", step))
			if errors.Is(err, durabletest.ErrCut) {
				outcomes := durabletest.Outcomes()
				d.disk = d.disk.Reboot(outcomes[r.IntN(len(outcomes))])
				cuts++
				err = d.run("after ")
			}
			if err != nil {
				t.Fatalf("seed %d, step %d: %v\n%s", seed, step, err, strings.Join(d.disk.Snapshot(), "\n"))
			}
			d.disk.Resume()
			runs++
		}
	}
	if cuts < runs/10 {
		t.Errorf("the model is idle itself: %d runs, %d cuts", runs, cuts)
	}
}

// The owner dies after each operation while the power stays on, its successor has the program run, and then the power
// fails, at each of its operations or later: what a program left durably is there, though it lies in what the first
// owner had not made durable.
func TestOwnerDiesBeforeThePower(t *testing.T) {
	begin := func(trial bool) *device {
		d := &device{disk: durabletest.New(), active: 1, found: map[byte][]string{1: {""}, 2: {""}}}
		if !trial {
			return d // nothing is there yet, not even the bundle's folder
		}
		if err := d.run("a"); err != nil {
			t.Fatal(err)
		}
		d.trial, d.pending, d.found[2] = 1, 2, d.found[1]
		return d
	}
	for _, trial := range []bool{false, true} {
		for died, whole := 0, false; !whole; died++ {
			for n, over := 0, false; !over; n++ {
				for _, outcome := range durabletest.Outcomes() {
					d := begin(trial)
					d.disk.CutAfter(died)
					_, err := d.store().Open(bundle, d.want())
					whole = err == nil
					d.disk.Resume()
					d.disk.CutAfter(n)
					over = d.run("b") == nil
					d.disk = d.disk.Reboot(outcome)
					if err := d.run("c"); err != nil {
						t.Fatalf("died after operation %d, cut %d later, %s: %v", died, n, outcome.Name, err)
					}
				}
			}
		}
	}
}

// What is left is no more than what something can return to.
func TestNothingIsLeft(t *testing.T) {
	d := &device{disk: durabletest.New(), active: 1, found: map[byte][]string{1: {""}, 2: {""}}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	generations := func(want int) {
		t.Helper()
		names, err := d.disk.ReadDir(bundle)
		if must(err); len(names) != want {
			t.Errorf("there are %q, want %d", names, want)
		}
	}
	must(d.run("a"))
	generations(1)
	d.trial, d.pending, d.found[2] = 1, 2, d.found[1]
	must(d.run("b"))
	generations(2)
	d.trial = 0 // a rollback
	must(d.store().Settle(bundle, d.want()))
	generations(1)
	must(d.run("c"))
	d.trial, d.found[2] = 2, d.found[1]
	must(d.run("d"))
	d.active, d.back, d.trial, d.watched = 2, 1, 0, true // a commit under watch
	must(d.run("e"))
	generations(2)
	d.watched = false
	must(d.run("f"))
	generations(1)
	if got := d.found[2][0]; got != "acdef" {
		t.Errorf("the state is %q", got)
	}
}

// What is imported counts from the next start on, and a cut before it is complete leaves the state before. In a trial
// nothing is imported.
func TestReplace(t *testing.T) {
	begin := func() *device {
		d := &device{disk: durabletest.New(), active: 1, found: map[byte][]string{1: {""}}}
		if err := d.run("a"); err != nil {
			t.Fatal(err)
		}
		return d
	}
	fill := func(d *device) func(string) error {
		return func(name string) error { return d.states().Write(name, "b") }
	}
	d := begin()
	before := len(d.disk.Ops())
	if err := d.store().Replace(bundle, d.want(), fill(d)); err != nil {
		t.Fatal(err)
	}
	d.found[1] = []string{"b"}
	if err := d.run("c"); err != nil {
		t.Error(err)
	}
	for n := range len(d.disk.Ops()) - before {
		for _, outcome := range durabletest.Outcomes() {
			d := begin()
			d.disk.CutAfter(n)
			err := d.store().Replace(bundle, d.want(), fill(d))
			d.disk = d.disk.Reboot(outcome)
			if d.found[1] = []string{"a", "b"}; err == nil {
				d.found[1] = []string{"b"}
			}
			if err := d.run("c"); err != nil {
				t.Errorf("cut after %d, %s: %v", n, outcome.Name, err)
			}
		}
	}
	d = begin()
	d.trial, d.pending = 1, 2
	if err := d.store().Replace(bundle, d.want(), fill(d)); refusal.Of(err) != refusal.TrialInProgress {
		t.Errorf("in a trial: %v", err)
	}
	if err := d.store().Replace(bundle, bundlestate.Want{Runs: identity(1)},
		func(string) error { return errors.New("bad") }); err == nil {
		t.Error("what could not be filled was taken")
	}
	d.trial = 0
	if err := d.run("d"); err != nil {
		t.Error(err)
	}
}
