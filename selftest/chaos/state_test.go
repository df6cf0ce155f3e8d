package chaos_test

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/bundlestate"
	"nexus/libupdates/bundlestate/bundlestatetest"
	"nexus/libupdates/refusal"
)

// service is the bundle whose program is another one in each set, and whose state is on the device's disk.
const service = "alpha.app"

// A legacy is what programs may find as their state, by version. More than one text is possible where a program was cut
// short while it wrote. It is never changed in place, because devices share it.
type legacy struct {
	by    map[string][]string
	trial uint64 // the last one in which a program was started
}

// with returns the legacy after a program has left its state.
func (l legacy) with(version string, texts ...string) legacy {
	l.by = maps.Clone(l.by)
	l.by[version] = texts
	return l
}

// keepsState reports whether a flow is for devices that keep state. It leaves out rollbacks to a version of which
// nothing was kept: then the state goes along, and what a program finds depends on when that was tidied up.
func keepsState(f flow) bool {
	return slices.Contains([]string{"commit", "rollback by tries", "rollback by tries of a deadly set", "hindered",
		"rollback by operator during a trial", "rollback under watch", "switch under watch", "a watch that holds"}, f.name)
}

// wantOf is what initd makes of the record.
func (d *device) wantOf(r bootctl.Record) bundlestate.Want {
	identity := func(s bootctl.Slot) (id bundlestate.Identity) {
		copy(id[:], d.version(r.Slot(s)))
		return id
	}
	runs := r.Running()
	want := bundlestate.Want{Runs: identity(runs)}
	if r.Pending == bootctl.None && r.WatchLeft == 0 {
		return want
	}
	want.Returns, want.Back = true, identity(runs.Other())
	if r.Pending != bootctl.None {
		want.Trial = r.StageSerial
	}
	return want
}

// serve has the program of the published set run: it looks what there is, and adds its version to it.
func (d *device) serve(version string) error {
	if d.kind != keeping {
		return nil
	}
	r := d.engine.Record()
	if r.Pending != bootctl.None && d.left.trial != r.StageSerial {
		d.left = d.left.with(version, d.left.by[d.version(r.Slot(r.Active))]...)
		d.left.trial = r.StageSerial
	}
	err := d.work(version, d.wantOf(r))
	if err != nil && !d.dead() {
		return refusal.New(refusal.IO, "%v", err) // initd tries again; here that is another attempt
	}
	return err
}

func (d *device) work(version string, want bundlestate.Want) error {
	states := bundlestatetest.Disk{Disk: d.disk}
	store := bundlestate.Store{Disk: states}
	if err := store.Settle(service, want); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	name, err := store.Open(service, want)
	if err != nil {
		return err
	}
	text, err := states.Read(name)
	if err != nil {
		return err
	}
	d.check(stateIsExpected(d.left.by[version], text))
	next := text
	if !strings.HasSuffix(text, version+" ") {
		next += version + " "
	}
	d.left = d.left.with(version, text, next)
	if err := states.Write(name, next); err != nil {
		return err
	}
	d.left = d.left.with(version, next)
	return nil
}

// tidyState removes what no rollback can return to, as initd does after a commit. If that fails, the next attempt does
// it.
func (d *device) tidyState() {
	if d.kind == keeping && !d.dead() {
		bundlestate.Store{Disk: bundlestatetest.Disk{Disk: d.disk}}.Settle(service, d.wantOf(d.engine.Record()))
	}
}

func stateIsExpected(expected []string, found string) violation {
	if slices.Contains(expected, found) {
		return violation{}
	}
	return broke(saysState, "the program found %q, want one of %q", found, expected)
}
