package powercut

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// digest returns the digest of a made-up set.
func digest(b byte) (d [32]byte) { d[0] = b; return d }

// madeUp returns sets with one file each.
func madeUp() oracle.Sets {
	var sets oracle.Sets
	for i, name := range []string{factory, second, third, broken} {
		d := digest(byte(i + 1))
		sets = append(sets, &oracle.Set{Name: name, Digest: hex.EncodeToString(d[:]), Files: map[string]string{}})
	}
	sets[3].Fate = oracle.Broken
	return sets
}

// wellFound returns a disk on which the second set is confirmed, the broken one in quarantine, and the floor at the
// second.
func wellFound(t *testing.T, sets oracle.Sets) *found {
	t.Helper()
	f := &found{recorded: true, system: t.TempDir(), slots: map[string]string{}}
	record := bootctl.New()
	record.Active, record.Floor = bootctl.B, second
	for i, name := range []string{factory, second} {
		d := digest(byte(i + 1))
		record.Slots[i] = bootctl.Content{Digest: bootctl.Digest(d), Version: name, Good: true}
		f.slots[string("ab"[i])] = hex.EncodeToString(d[:])
		kit.Must(t, os.MkdirAll(filepath.Join(f.system, "sets", sets.Named(name).Digest), 0o755))
	}
	record.Quarantine = []bootctl.Quarantined{{Digest: bootctl.Digest(digest(4)), Version: broken,
		Reason: refusal.ServiceExited}}
	f.state = stateOf(record)
	return f
}

// TestThePromiseCanBeBroken has a disk that violates each part of the promise.
func TestThePromiseCanBeBroken(t *testing.T) {
	sets := madeUp()
	was := stand{Made: true, Recorded: true, Active: second, Quarantine: true, Floor: second}
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, f *found, was *stand)
		want  string
	}{
		{"nothing", func(*testing.T, *found, *stand) {}, ""},
		{"blank again", func(_ *testing.T, f *found, _ *stand) { f.fresh = true }, "the disk is blank"},
		{"the record is gone", func(_ *testing.T, f *found, _ *stand) { f.recorded = false },
			"the boot record is gone"},
		{"the old set is active", func(_ *testing.T, f *found, _ *stand) { f.state.ActiveSlot = "a" },
			"is active, which was neither confirmed nor brought"},
		{"an empty slot is active", func(_ *testing.T, f *found, _ *stand) { f.state.Slots.B.IndexSHA256 = nil },
			"is active and empty"},
		{"quarantine forgotten", func(_ *testing.T, f *found, _ *stand) { f.state.Quarantine = nil },
			"is no longer in quarantine"},
		{"a good set in quarantine", func(_ *testing.T, f *found, _ *stand) {
			f.state.Quarantine[0].IndexSHA256 = sets.Named(factory).Digest
		}, "is in quarantine"},
		{"floor forgotten", func(_ *testing.T, f *found, _ *stand) { f.state.VersionFloor = nil },
			`the version floor is "", want ["1.1.0"]`},
		{"staged set forgotten", func(_ *testing.T, _ *found, was *stand) { was.Staged = third },
			"was staged, and is neither"},
		{"a payload without fs-verity", func(_ *testing.T, f *found, _ *stand) {
			f.unkept = map[string]string{"b": "fs-verity is not enabled"}
		}, "slot b: the kernel does not verify its payloads: fs-verity is not enabled"},
		{"a set of nobody's", func(_ *testing.T, f *found, _ *stand) { f.slots["a"] = "99" },
			"which was never staged"},
		{"a file more", func(t *testing.T, f *found, _ *stand) {
			if err := os.WriteFile(filepath.Join(f.system, "sets", f.slots["a"], "more"), nil,
				0o600); err != nil {
				t.Fatal(err)
			}
		}, "is in the slot but not in the archive"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, was := wellFound(t, sets), was
			c.spoil(t, f, &was)
			err := promise{sets: sets}.onDisk(f, was, nil)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestWhatWasUnderWayMayBeDone accepts the result of a step that was in progress.
func TestWhatWasUnderWayMayBeDone(t *testing.T) {
	sets := madeUp()
	f := wellFound(t, sets)
	was := stand{Made: true, Recorded: true, Active: factory}
	if err := (promise{sets: sets}).onDisk(f, was, nil); err == nil {
		t.Error("a set that nobody switched to is active, and that passed")
	}
	if err := (promise{sets: sets}).onDisk(f, was, []stand{{Active: second, Floor: second}}); err != nil {
		t.Error(err)
	}
}

// TestWhatIsToldCanBreakThePromise checks what an operator is told in the same way.
func TestWhatIsToldCanBreakThePromise(t *testing.T) {
	sets := madeUp()
	was := stand{Made: true, Recorded: true, Active: second, Quarantine: true, Floor: second}
	for _, c := range []struct {
		name  string
		spoil func(now *oracle.State)
		want  string
	}{
		{"nothing", func(*oracle.State) {}, ""},
		{"the old set is active", func(now *oracle.State) { now.ActiveSlot = "a" },
			"is active, which was neither confirmed nor brought"},
		{"floor forgotten", func(now *oracle.State) { now.VersionFloor = nil }, "the version floor is"},
		{"quarantine forgotten", func(now *oracle.State) { now.Quarantine = nil }, "is no longer in quarantine"},
		{"the record is in memory", func(now *oracle.State) { now.Persistent = false }, "the record is not persistent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			floor := second
			now := oracle.State{ActiveSlot: "b", Persistent: true, VersionFloor: &floor}
			now.Slots.A.IndexSHA256, now.Slots.B.IndexSHA256 = &sets.Named(factory).Digest, &sets.Named(second).Digest
			now.Quarantine = []oracle.Quarantined{{IndexSHA256: sets.Named(broken).Digest,
				Reason: refusal.ServiceExited}}
			c.spoil(&now)
			err := promise{sets: sets}.told(now, was, nil)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestFatalLines(t *testing.T) {
	for line, want := range map[string]bool{
		"init: health ok (slot a)":                                                        false,
		"initd: crash process=updated exit=\"exit code 1\"":                               false,
		"init: fatal: cannot use state disk /dev/vda: x":                                  true,
		"init: state disk: damaged: the kernel has met damage in it before":               true,
		"[    3.1] EXT4-fs error (device vda): ext4_lookup:1813":                          true,
		"updated: audit op=record result=failed reason=state-damaged":                     true,
		"updated: audit op=damaged slot=a version=1.0.0 result=ok reason=digest-mismatch": true,
	} {
		if got := fatal([]string{"before", line}) != nil; got != want {
			t.Errorf("%s: got %v", line, got)
		}
	}
}
