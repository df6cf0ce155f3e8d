package powercut

import (
	"encoding/hex"
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
	"nexus/selftest/oracle"
)

// A found is the content of a disk after a cut and the replay of its journal, as `updated` reads it at its next start.
type found struct {
	fresh    bool // the disk is still blank
	recorded bool // the boot record exists
	state    oracle.State
	slots    map[string]string // digests of what is in them, in hex
	system   string            // the folder with the slots
	mended   []string
}

// runTool runs a program of e2fsprogs, which may end with a status up to may.
func runTool(name string, may int, args ...string) error {
	path, err := exec.LookPath(name)
	if err != nil {
		path = filepath.Join("/sbin", name)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if status := cmd.ProcessState.ExitCode(); err != nil && (status < 0 || status > may) {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
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
	const mended = 1 // status of e2fsck: it has replayed the journal, or more
	if err := runTool("e2fsck", mended, "-f", "-p", file); err != nil {
		return nil, err
	}
	if err := runTool("debugfs", 0, "-R", "rdump / "+root, file); err != nil {
		return nil, err
	}
	return open(root, verify)
}

// open opens the folder of a system, in the order in which a start does.
func open(root string, verify nxs.VerifyFunc) (*found, error) {
	f := &found{system: filepath.Join(root, "system"), slots: map[string]string{}}
	state := filepath.Join(root, "state")
	if err := errors.Join(os.MkdirAll(f.system, 0o755), os.MkdirAll(state, 0o755)); err != nil {
		return nil, err // a start makes them if they are missing
	}
	system, err := os.OpenRoot(f.system)
	if err != nil {
		return nil, err
	}
	defer system.Close()
	store, err := slots.Open(durable.OS(system))
	if err != nil {
		return nil, err
	}
	var held [2]bootctl.Content
	for i, slot := range []bootctl.Slot{bootctl.A, bootctl.B} {
		content, err := store.Content(slot)
		if err != nil {
			return nil, err
		}
		if err := store.Verify(slot, content.Digest, verify); err != nil {
			return nil, err
		}
		held[i] = content.Record()
		f.slots[slot.String()] = digestOf(held[i])
	}
	raw, err := openRecord(state)
	if err != nil {
		return nil, err
	}
	var record bootctl.Record
	if f.recorded = raw != nil; f.recorded {
		if record, err = bootctl.Decode(raw); err == nil {
			record, f.mended = record.Restart(bootctl.Power).Reconcile(held[0], held[1])
		}
	} else if active, activeErr := store.Active(); activeErr == nil {
		record = bootctl.Resume(active, held[0], held[1])
	} else {
		err = activeErr
	}
	f.state = stateOf(record)
	return f, err
}

// stateOf returns what `nx status` says of a record on disk.
func stateOf(record bootctl.Record) oracle.State {
	name := func(slot bootctl.Slot) *string {
		if slot == bootctl.None {
			return nil
		}
		text := slot.String()
		return &text
	}
	now := oracle.State{ActiveSlot: record.Active.String(), StagedSlot: name(record.Staged),
		PendingSlot: name(record.Pending), VersionFloor: &record.Floor, Persistent: true}
	a, b := digestOf(record.Slots[0]), digestOf(record.Slots[1])
	now.Slots.A.IndexSHA256, now.Slots.B.IndexSHA256 = &a, &b
	for _, q := range record.Quarantine {
		now.Quarantine = append(now.Quarantine,
			oracle.Quarantined{IndexSHA256: hex.EncodeToString(q.Digest[:]), Reason: q.Reason})
	}
	return now
}

// digestOf returns the digest of a slot's set, in hex, or "".
func digestOf(content bootctl.Content) string {
	if content.IsEmpty() {
		return ""
	}
	return hex.EncodeToString(content.Digest[:])
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
