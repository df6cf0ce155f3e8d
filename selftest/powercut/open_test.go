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
	slots    map[string]string   // digests of what they hold and of what is staged, in hex
	unkept   map[string]string   // why the kernel does not verify the payloads of one of them
	unnamed  staging             // what was being staged
	system   string              // the folder with the slots
	states   map[string][]string // what each version that may run would find as its state
	mended   []string
}

// mended is the status of e2fsck when it has replayed the journal, or more.
const mended = 1

// runTool runs a program of e2fsprogs, which may end with a status up to may, and returns its standard output.
func runTool(name string, may int, args ...string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		path = filepath.Join("/sbin", name)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if status := cmd.ProcessState.ExitCode(); err != nil && (status < 0 || status > may) {
		return "", fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)+said.String()))
	}
	return string(out), nil
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
	if _, err := runTool("e2fsck", mended, "-f", "-p", file); err != nil {
		return nil, err
	}
	states, err := readStates(file, work)
	if err != nil {
		return nil, err
	}
	if _, err := runTool("debugfs", 0, "-R", "rdump / "+root, file); err != nil {
		return nil, err
	}
	if err := putStates(root, states); err != nil {
		return nil, err
	}
	kept, unnamed, err := readSeals(file, root, work)
	if err != nil {
		return nil, err
	}
	f := &found{system: filepath.Join(root, "system"), slots: map[string]string{}, unkept: map[string]string{},
		unnamed: unnamed}
	return f, f.open(root, kept, verify)
}

// open opens the folder of a system, in the order in which a start does.
func (f *found) open(root string, kept seals, verify nxs.VerifyFunc) error {
	state := filepath.Join(root, "state")
	if err := errors.Join(os.MkdirAll(f.system, 0o755), os.MkdirAll(state, 0o755)); err != nil {
		return err // a start makes them if they are missing
	}
	system, err := os.OpenRoot(f.system)
	if err != nil {
		return err
	}
	defer system.Close()
	store, err := slots.Open(durable.WithVerity(system, kept))
	if err != nil {
		return err
	}
	held, err := f.readSlots(store, verify)
	if err != nil {
		return err
	}
	raw, err := openRecord(state)
	if err != nil {
		return err
	}
	record, held, err := f.record(store, verify, raw, held)
	if err != nil {
		return err
	}
	for i, content := range held {
		f.slots[places[i].String()] = digestOf(content)
	}
	f.state = stateOf(record)
	return f.showStates(root, store, record)
}

// record returns the record that a start goes by, and what the slots hold then.
func (f *found) record(store *slots.Store, verify nxs.VerifyFunc, raw []byte, held contents) (bootctl.Record, contents,
	error) {
	if f.recorded = raw != nil; !f.recorded {
		active, err := store.Active()
		return bootctl.Resume(active, held[0], held[1]), held, err
	}
	record, err := bootctl.Decode(raw)
	if err != nil {
		return record, held, err
	}
	if on := record.Pending; on != bootctl.None && record.Slot(on).Digest == held[2].Digest { // half of a switch
		if err := store.Promote(on); err != nil {
			return record, held, err
		}
		if held, err = f.readSlots(store, verify); err != nil {
			return record, held, err
		}
	}
	record, f.mended = record.Restart(bootctl.Power).Reconcile(held[0], held[1], held[2])
	return record, held, nil
}

// places are what may lead to a set: the slots, and what is staged.
var places = [...]bootctl.Slot{bootctl.A, bootctl.B, bootctl.Staged}

// contents are what they hold.
type contents = [len(places)]bootctl.Content

// readSlots verifies every byte of what the slots hold, and of what is staged, and that the kernel verifies payloads,
// if it does, against the signed digests.
func (f *found) readSlots(store *slots.Store, verify nxs.VerifyFunc) (held contents, err error) {
	for i, slot := range places {
		content, err := store.Content(slot)
		if err != nil {
			return held, err
		}
		if err := store.Verify(slot, content.Digest, verify); err != nil {
			return held, err
		}
		held[i], f.unkept[slot.String()] = content.Record(), content.Unkept
	}
	return held, nil
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
	now := oracle.State{ActiveSlot: record.Active.String(), PendingSlot: name(record.Pending),
		VersionFloor: &record.Floor, Persistent: true}
	if !record.Staged.IsEmpty() {
		now.StagedSlot = name(bootctl.Staged)
	}
	a, b, staged := digestOf(record.Slots[0]), digestOf(record.Slots[1]), digestOf(record.Staged)
	now.Slots.A.IndexSHA256, now.Slots.B.IndexSHA256, now.Slots.Staged.IndexSHA256 = &a, &b, &staged
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
