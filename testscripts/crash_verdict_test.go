package testscripts

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"nexus/selftest/oracle"
)

// A systemState is what the matrix reads of `nx status --json`.
type systemState struct {
	ActiveSlot   string
	PendingSlot  *string
	StagedSlot   *string
	HealthOK     bool
	Staging      bool
	Slots        map[string]struct{ SystemVersion, IndexSHA256 string }
	Quarantine   []struct{ SystemVersion, Reason string }
	LastRollback *struct{ SystemVersion, Reason string }
}

func (s systemState) version(slot string) string { return s.Slots[slot].SystemVersion }

// A servicesState is what the matrix reads of `nx services --json`.
type servicesState struct {
	Services []struct{ Name, Version, State, Slot, App string }
	Daemons  []oracle.Daemon
}

// daemons are how the daemons are now, by name.
func (r *crashRig) daemons() map[string]oracle.Daemon {
	r.t.Helper()
	var now servicesState
	if err := r.ask(&now, "services"); err != nil {
		r.t.Fatal(err)
	}
	all := map[string]oracle.Daemon{}
	for _, d := range now.Daemons {
		all[d.Name] = d
	}
	return all
}

// awaitQuiet waits until the daemon that crashed serves again, nothing is under way, and what runs is healthy.
func (r *crashRig) awaitQuiet(c cell, before map[string]oracle.Daemon) {
	r.t.Helper()
	back := false
	r.eventually("the system to be quiet", func() bool {
		r.state, r.rolls = systemState{}, servicesState{}
		if err := errors.Join(r.ask(&r.rolls, "services"), r.ask(&r.state, "status")); err != nil {
			r.last = err.Error()
			return false
		}
		back = back || r.isBack(c, before)
		r.last = fmt.Sprintf("%+v %+v", r.state, r.rolls)
		return back && r.isQuiet()
	})
}

func (r *crashRig) isBack(c cell, before map[string]oracle.Daemon) bool {
	for _, d := range r.rolls.Daemons {
		if d.Name == c.daemon {
			return d.Ready && d.Restarts > before[d.Name].Restarts
		}
	}
	return false
}

func (r *crashRig) isQuiet() bool {
	for _, s := range r.rolls.Services {
		if s.State != "healthy" {
			return false
		}
		if s.App == "" && (s.Slot != r.state.ActiveSlot || s.Version != r.state.version(s.Slot)) {
			return false
		}
	}
	return len(r.rolls.Services) > 0 && r.state.HealthOK && r.state.PendingSlot == nil && !r.state.Staging
}

// wantWhole wants each slot to hold exactly the files of one set that was brought, or none, and the disk and the
// history to name the same slot as the status.
func (r *crashRig) wantWhole() {
	r.t.Helper()
	r.wantSlots("system", r.state, setFile)
	var history []struct{ Op, Slot string }
	if err := r.ask(&history, "history"); err != nil {
		r.t.Fatal(err)
	}
	said := ""
	for _, step := range history {
		switch step.Op {
		case "factory", "commit":
			said = step.Slot
		}
	}
	if said != r.state.ActiveSlot {
		r.t.Errorf("slot %s is active, and the history ends with the commit of %q: %+v", r.state.ActiveSlot, said,
			history)
	}
}

// wantSlots wants each slot of a place to hold exactly the files of the set that a status names, or none.
func (r *crashRig) wantSlots(place string, state systemState, fileOf func(version string) string) {
	r.t.Helper()
	for slot, holds := range state.Slots {
		have, err := filesBelow(r.at(filepath.Join(place, slot)))
		if err != nil {
			r.t.Fatal(err)
		}
		want := map[string][32]byte{}
		if holds.SystemVersion != "" {
			if want, err = filesOf(fileOf(holds.SystemVersion)); err != nil {
				r.t.Fatal(err)
			}
		}
		if !maps.Equal(have, want) {
			r.t.Errorf("slot %s of %s does not hold exactly the files of %q", slot, place, holds.SystemVersion)
		}
	}
}

// filesBelow are the digests of the files of a folder; none where it is not there.
func filesBelow(dir string) (map[string][32]byte, error) {
	found := map[string][32]byte{}
	real, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(real, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		name, _ := filepath.Rel(real, path)
		found[name] = sha256.Sum256(raw)
		return err
	})
	return found, err
}

// filesOf are the digests of the files in an archive.
func filesOf(archive string) (map[string][32]byte, error) {
	raw, err := os.ReadFile(archive)
	if err != nil {
		return nil, err
	}
	found := map[string][32]byte{}
	for r := tar.NewReader(bytes.NewReader(raw)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		found[header.Name] = sha256.Sum256(content)
	}
}

// wantOnly wants the daemon that crashed to have been restarted once, and every other one to run as before.
func (r *crashRig) wantOnly(c cell, before map[string]oracle.Daemon) {
	r.t.Helper()
	for _, d := range r.rolls.Daemons {
		was := before[d.Name]
		switch {
		case d.Name == c.daemon && (d.Restarts != was.Restarts+1 || d.LastExit != c.crash.exit):
			r.t.Errorf("%s was restarted %d times, its last run ended with %q, want once and %q",
				d.Name, d.Restarts-was.Restarts, d.LastExit, c.crash.exit)
		case d.Name != c.daemon && (d.Restarts != was.Restarts || d.PID != was.PID || !d.Ready):
			r.t.Errorf("%s was %+v and is %+v", d.Name, was, d)
		}
	}
}

// wantRecorded wants one crash record, which says who, how and, for a panic, with what words; and no line of a trace on
// the console.
func (r *crashRig) wantRecorded(c cell) {
	r.t.Helper()
	var found []oracle.Record
	r.eventually("the record of the crash", func() bool {
		found = r.crashRecords(c.daemon)
		return len(found) > 0
	})
	if len(found) != 1 || found[0].Sender != "initd" || found[0].Field("exit") != c.crash.exit {
		r.t.Errorf("the journal records the crash as %+v", found)
	}
	words := "SIGQUIT: quit\n"
	if panicked := strings.HasPrefix(found[0].Field("trace"), words); panicked != (c.crash.signal.String() == "quit") {
		r.t.Errorf("the record of a %s has the trace %q", c.crash.name, found[0].Field("trace"))
	}
	for line := range strings.Lines(r.stderr.text()) {
		if !strings.HasPrefix(line, "initd: "+c.daemon+" wrote: ") {
			r.t.Errorf("a daemon's own words stand bare on standard error: %q", line)
			break
		}
	}
	for _, line := range r.system.Since(0) {
		if strings.Contains(line, "SIGQUIT") && !strings.HasPrefix(line, "initd: crash ") ||
			strings.HasPrefix(line, "goroutine ") {
			r.t.Errorf("the console shows a trace: %q", line)
		}
	}
}

// crashRecords are the journal's crash records of a daemon.
func (r *crashRig) crashRecords(daemon string) (found []oracle.Record) {
	v := r.start("log")
	<-v.Done
	for decoder := json.NewDecoder(&v.Stdout); ; {
		var record oracle.Record
		if decoder.Decode(&record) != nil {
			return found
		}
		if record.Kind == "crash" && record.Field("process") == daemon {
			found = append(found, record)
		}
	}
}

// wantNextUpdate wants the system to take the next set as if nothing had been.
func (r *crashRig) wantNextUpdate() {
	r.t.Helper()
	next := newVersion
	if r.state.version(r.state.ActiveSlot) == newVersion {
		next = oldVersion
	}
	r.must("update", "--downgrade", setFile(next))
}
