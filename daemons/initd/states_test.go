package initd

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/updateclient"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/bundlestate"
	"nexus/libupdates/refusal"
)

// slotWith is a slot with a set of which every bundle has that number.
func slotWith(set byte, bundles ...string) updateclient.Slot {
	slot := updateclient.Slot{Content: bootctl.Content{Digest: bootctl.Digest{set}}}
	for _, name := range bundles {
		slot.Bundles = append(slot.Bundles, updateclient.Bundle{Name: name, Identity: bundlestate.Identity{set}})
	}
	return slot
}

// What the record says is what is wanted of a bundle's state.
func TestWantOf(t *testing.T) {
	web1, web2, other := slotWith(1, "web"), slotWith(2, "web", "x"), slotWith(3, "x")
	unread := slotWith(4)
	damaged := slotWith(5, "web")
	damaged.Damage = refusal.DigestMismatch
	one, two := bundlestate.Identity{1}, bundlestate.Identity{2}
	for name, c := range map[string]struct {
		status updateclient.Status
		want   bundlestate.Want
	}{
		"settled": {updateclient.Status{Active: bootctl.A, Slots: [3]updateclient.Slot{web1, web2}, Stage: 7},
			bundlestate.Want{Runs: one}},
		"on trial": {updateclient.Status{Active: bootctl.A, Pending: bootctl.B, Slots: [3]updateclient.Slot{web1, web2},
			Stage: 7}, bundlestate.Want{Runs: two, Returns: true, Back: one, Trial: 7}},
		"under watch": {updateclient.Status{Active: bootctl.B, Watched: true, Slots: [3]updateclient.Slot{web1, web2},
			Stage: 7}, bundlestate.Want{Runs: two, Returns: true, Back: one}},
		"new in the trial": {updateclient.Status{Active: bootctl.A, Pending: bootctl.B,
			Slots: [3]updateclient.Slot{other, web2}, Stage: 7}, bundlestate.Want{Runs: two, Returns: true, Trial: 7}},
		"gone in the trial": {updateclient.Status{Active: bootctl.B, Pending: bootctl.A,
			Slots: [3]updateclient.Slot{other, web2}, Stage: 7}, bundlestate.Want{Returns: true, Back: two, Trial: 7}},
		"the first set": {updateclient.Status{Active: bootctl.A, Pending: bootctl.B,
			Slots: [3]updateclient.Slot{{}, web2}, Stage: 1}, bundlestate.Want{Runs: two, Returns: true, Trial: 1}},
		"the other is not read": {updateclient.Status{Active: bootctl.B, Watched: true,
			Slots: [3]updateclient.Slot{unread, web2}}, bundlestate.Want{Runs: two, Returns: true, Unsure: true}},
		"the other is damaged": {updateclient.Status{Active: bootctl.B, Pending: bootctl.A,
			Slots: [3]updateclient.Slot{web1, damaged}, Stage: 7}, bundlestate.Want{Runs: one, Returns: true,
			Back: bundlestate.Identity{5}, Trial: 7, Unsure: true}},
		"damage that makes no difference": {updateclient.Status{Active: bootctl.A,
			Slots: [3]updateclient.Slot{web1, damaged}}, bundlestate.Want{Runs: one}},
	} {
		if got := (recorded{c.status}).wantOf("web"); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

// keeperIn is a keeper that mounts nothing, with that record.
func keeperIn(t *testing.T, status *updateclient.Status) *stateKeeper {
	t.Helper()
	f := mustOpen(t, made(t), true)
	t.Cleanup(f.clear)
	k, err := openStates(f, filepath.Join(t.TempDir(), "view"), false, logclient.New("test", vat.NewHolding("LogSink")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.close)
	k.images, k.mounts, k.view = false, false, f.at(bundlesDir)
	k.status = func(context.Context) ([]updateclient.Status, error) { return []updateclient.Status{*status}, nil }
	return k
}

func (k *stateKeeper) mustOpen(t *testing.T, set byte) string {
	t.Helper()
	path, err := k.open(t.Context(), "web", bootctl.Digest{set}, uint32(os.Geteuid()), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(path, "file")
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func reads(t *testing.T, name, want string) {
	t.Helper()
	if got, err := os.ReadFile(name); string(got) != want {
		t.Errorf("%s holds %q, %v, want %q", name, got, err, want)
	}
}

// A trial runs on a copy, at the same path; a rollback is one change of the record; an end of the watch drops what was
// kept.
func TestStateReturnsWithARollback(t *testing.T) {
	status := &updateclient.Status{Active: bootctl.A, Slots: [3]updateclient.Slot{slotWith(1, "web"), {}}}
	k := keeperIn(t, status)
	file := k.mustOpen(t, 1)
	write(t, file, "one")
	status.Slots[1], status.Pending, status.Stage = slotWith(2, "web"), bootctl.B, 1
	if again := k.mustOpen(t, 2); again != file {
		t.Errorf("the path has changed from %s to %s", file, again)
	}
	reads(t, file, "one")
	write(t, file, "two")
	k.mustOpen(t, 2) // another try
	reads(t, file, "two")
	status.Pending = bootctl.None
	k.mustOpen(t, 1)
	reads(t, file, "one")

	status.Pending, status.Stage = bootctl.B, 2
	k.mustOpen(t, 2)
	reads(t, file, "one")
	status.Active, status.Pending, status.Watched = bootctl.B, bootctl.None, true
	k.settle(t.Context())
	if names, _ := filepath.Glob(k.view + "/web/*.*.*"); len(names) != 2 {
		t.Errorf("under watch there is %q", names)
	}
	status.Watched = false
	k.settle(t.Context())
	if names, _ := filepath.Glob(k.view + "/web/*.*.*"); len(names) != 1 {
		t.Errorf("after the watch there is %q", names)
	}
	reads(t, file, "one")
}

// A service of the set before that is started once more while the next one is due gets no state.
func TestStateIsForTheSetThatRuns(t *testing.T) {
	status := &updateclient.Status{Active: bootctl.A, Pending: bootctl.B, Stage: 1,
		Slots: [3]updateclient.Slot{slotWith(1, "web"), slotWith(2, "web")}}
	k := keeperIn(t, status)
	for set, want := range map[byte]refusal.Reason{1: refusal.Stale, 2: "", 3: refusal.Stale} {
		_, err := k.open(t.Context(), "web", bootctl.Digest{set}, 0, 1<<20)
		if got := refusal.Of(err); got != want {
			t.Errorf("set %d: got %v, want %q", set, err, want)
		}
	}
	if _, err := k.open(t.Context(), "x", bootctl.Digest{2}, 0, 1<<20); refusal.Of(err) != refusal.UnknownBundle {
		t.Errorf("a bundle that the set does not have: %v", err)
	}
	if plat.MaySetUsers() && k.stateless() == "" {
		t.Error("programs with users of their own are given what they cannot reach")
	}
}

// A program that runs has the state that a new start would get, as long as the bundle stays the same and nobody has
// replaced its state.
func TestStateIsHeld(t *testing.T) {
	same := slotWith(1, "web")
	same.Digest = bootctl.Digest{2}
	status := &updateclient.Status{Active: bootctl.A, Slots: [3]updateclient.Slot{slotWith(1, "web"), same}}
	k := keeperIn(t, status)
	user := uint32(os.Geteuid())
	holds := func(what string, set byte, user uint32, quota int64, want bool) {
		t.Helper()
		if got := k.holds(t.Context(), "web", bootctl.Digest{set}, user, quota); got != want {
			t.Errorf("%s: it holds is %t", what, got)
		}
	}
	holds("never started", 1, user, 1<<20, false)
	k.mustOpen(t, 1)
	holds("the same set", 1, user, 1<<20, true)
	holds("another set than the one that runs", 2, user, 1<<20, false)
	status.Pending, status.Stage = bootctl.B, 1
	holds("the same bundle on trial", 2, user, 1<<20, true)
	holds("another user", 2, user+1, 1<<20, false)
	holds("another quota", 2, user, 2<<20, false)
	status.Slots[1] = slotWith(2, "web")
	holds("another bundle on trial", 2, user, 1<<20, false)
	status.Pending = bootctl.None
	holds("back again", 1, user, 1<<20, true)
	err := k.store().Replace("web", recorded{*status}.wantOf("web"), func(name string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	holds("replaced by an operator", 1, user, 1<<20, false)
	k.mustOpen(t, 1)
	holds("started with that", 1, user, 1<<20, true)
	if (*stateKeeper)(nil).holds(t.Context(), "web", bootctl.Digest{1}, user, 1<<20) {
		t.Error("a system without state holds some")
	}
}

// A hostile updated names what is no bundle: nothing of it is unmounted or removed, nor anything that it names besides.
func TestOnlyTheStateOfBundlesIsRemoved(t *testing.T) {
	status := &updateclient.Status{Active: bootctl.A, Slots: [3]updateclient.Slot{slotWith(1, "web"), {}}}
	k := keeperIn(t, status)
	file := k.mustOpen(t, 1)
	write(t, file, "kept")
	generation := filepath.Dir(file)
	name, err := os.Readlink(generation)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", ".", "..", "../system", "web/" + filepath.Base(name), "web/"} {
		if err := k.remove([]string{"web", bad}); err == nil {
			t.Errorf("%q: removed", bad)
		}
		reads(t, file, "kept")
	}
	if err := k.remove([]string{"web"}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the state of the bundle is still there: %v", err)
	}
}
