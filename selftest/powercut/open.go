package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/statedisk"
	"nexus/libupdates/statefs"
)

// A found is the content of a disk after a cut and the replay of its journal, as `updated` reads it at its next start.
type found struct {
	fresh    bool // the disk is still blank
	recorded bool // the boot record exists
	record   bootctl.Record
	slots    [2]slots.Content
	system   string // the folder with the slots
	mended   []string
}

// tool returns the path of a program of e2fsprogs.
func tool(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return exec.LookPath(filepath.Join("/sbin", name))
}

// runTool runs a program of e2fsprogs. may lists the acceptable exit statuses.
func runTool(name string, may []int, args ...string) (string, error) {
	path, err := tool(name)
	if err != nil {
		return "", err
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", err
	}
	for _, status := range may {
		if cmd.ProcessState.ExitCode() == status {
			return string(out), nil
		}
	}
	return "", fmt.Errorf("%s: %s: %s", name, cmd.ProcessState, strings.TrimSpace(string(out)))
}

// lookAt opens a disk as the next start would: the file system with e2fsck, which replays the journal and must not need
// interactive repairs, and its contents with the device's own code.
func lookAt(disk image, work string, verify nxs.VerifyFunc) (*found, error) {
	switch kind, err := statedisk.Identify(disk, int64(len(disk))); {
	case err != nil:
		return nil, err
	case kind == statedisk.New:
		return &found{fresh: true}, nil
	case kind == statedisk.Noted:
		return nil, errors.New("the kernel has noted damage")
	}
	file, root := filepath.Join(work, "disk"), filepath.Join(work, "root")
	if err := errors.Join(os.RemoveAll(root), os.Mkdir(root, 0o700)); err != nil {
		return nil, err
	}
	if err := disk.store(file); err != nil {
		return nil, err
	}
	if _, err := runTool("e2fsck", []int{0, 1}, "-f", "-p", file); err != nil {
		return nil, err
	}
	if _, err := runTool("debugfs", []int{0}, "-R", "rdump / "+root, file); err != nil {
		return nil, err
	}
	return open(root, verify)
}

// open opens the folder of a system, in the order in which a start does.
func open(root string, verify nxs.VerifyFunc) (*found, error) {
	f := &found{system: filepath.Join(root, "system")}
	for _, made := range []string{f.system, filepath.Join(root, "state")} { // a start makes them if they are missing
		if err := os.MkdirAll(made, 0o755); err != nil {
			return nil, err
		}
	}
	system, err := os.OpenRoot(f.system)
	if err != nil {
		return nil, err
	}
	defer system.Close()
	store, err := f.openSlots(durable.OS(system), verify)
	if err != nil {
		return nil, err
	}
	raw, err := openRecord(filepath.Join(root, "state"))
	if err != nil {
		return nil, err
	}
	a, b := f.slots[0].Record(), f.slots[1].Record()
	if raw == nil {
		active, err := store.Active()
		if err != nil {
			return nil, err
		}
		f.record = bootctl.Resume(active, a, b)
		return f, nil
	}
	record, err := bootctl.Decode(raw)
	if err != nil {
		return nil, err
	}
	f.recorded = true
	f.record, f.mended = record.Restart(bootctl.Power).Reconcile(a, b)
	return f, nil
}

// openSlots reads and verifies both slots completely.
func (f *found) openSlots(system durable.FS, verify nxs.VerifyFunc) (*slots.Store, error) {
	store, err := slots.Open(system)
	if err != nil {
		return nil, err
	}
	for i, slot := range []bootctl.Slot{bootctl.A, bootctl.B} {
		if f.slots[i], err = store.Content(slot); err != nil {
			return nil, err
		}
		if err := store.Verify(slot, f.slots[i].Digest, verify); err != nil {
			return nil, err
		}
	}
	return store, nil
}

// openRecord reads the boot record, or returns nil if there is none yet. A cut must not damage any copy of it, nor any
// other value.
func openRecord(state string) ([]byte, error) {
	root, err := os.OpenRoot(state)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	keys, err := statefs.Open(durable.OS(root))
	if err != nil {
		return nil, err
	}
	if notes := keys.Notes(); len(notes) > 0 {
		return nil, fmt.Errorf("the state folder reports %v", notes)
	}
	boot := keys.Prefix(statefs.Boot)
	entries, _, err := boot.List("", "", statefs.MaxPage)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if _, err := boot.Get(e.Key); refusal.Of(err) != "" {
			return nil, fmt.Errorf("key %s: %w", e.Key, err)
		}
	}
	cell, err := durable.OpenCell(durable.Apart(&statefs.Record{Keys: boot}))
	if err != nil {
		return nil, err
	}
	raw, _ := cell.Load()
	return raw, nil
}
