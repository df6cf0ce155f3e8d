package slots_test

import (
	"bytes"
	"context"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/updatestest"
)

const shared = "beta.nxb/payload.elf" // the payload that all versions have

// ways are the ways to receive a set.
var ways = []struct {
	name  string
	stage func(*slots.Store, bootctl.Slot, []byte) (slots.Content, error)
}{
	{"stream", stage},
	{"file", stageFile},
}

// A payload that is in a slot already is not written again: it gets a second name, whose directory is durable before
// the set gets its name.
func TestPayloadIsUsedAgain(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			d := durabletest.New()
			s := open(t, d)
			mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
			from := len(d.Ops())
			if _, err := way.stage(s, bootctl.B, archive(t, "1.1.0")); err != nil {
				t.Fatal(err)
			}
			wantSlot(t, s, bootctl.B, "1.1.0")
			ops := d.Ops()[from:]
			var touched []string
			for _, op := range ops {
				if verb, name, _ := strings.Cut(op, " "); name == "sets/.stage/"+shared {
					touched = append(touched, verb)
				}
			}
			if !slices.Equal(touched, []string{"link"}) {
				t.Errorf("got operations %q on the payload, want one link", touched)
			}
			read, link := slices.Index(ops, "read "+setOf(t, s, bootctl.A)+"/"+shared),
				slices.Index(ops, "link sets/.stage/"+shared)
			durable, named := slices.Index(ops, "syncdir sets/.stage/beta.nxb"),
				slices.Index(ops, "rename "+setOf(t, s, bootctl.B))
			if order := []int{read, link, durable, named}; read < 0 || !slices.IsSorted(order) {
				t.Errorf("verified, linked, durable, named at %v", order)
			}
		})
	}
}

// Removing one of two sets that share a payload leaves the other intact, whichever was first.
func TestSharedPayloadOutlivesEitherSet(t *testing.T) {
	for _, emptied := range []bootctl.Slot{bootctl.A, bootctl.B} {
		d := durabletest.New()
		s := open(t, d)
		mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
		mustStage(t, s, bootctl.B, archive(t, "1.1.0"))
		if err := s.Empty(emptied); err != nil {
			t.Fatal(err)
		}
		wantSlot(t, s, emptied, "")
		wantSlot(t, s, other(emptied), map[bootctl.Slot]string{bootctl.A: "1.0.0", bootctl.B: "1.1.0"}[other(emptied)])
		mustStage(t, s, emptied, archive(t, "1.2.0"))
		wantSlot(t, s, emptied, "1.2.0")
	}
}

func other(slot bootctl.Slot) bootctl.Slot {
	if slot == bootctl.A {
		return bootctl.B
	}
	return bootctl.A
}

// Reused bytes are counted: those of payloads that are not written.
func TestReusedBytesAreTold(t *testing.T) {
	for _, way := range ways {
		s := open(t, durabletest.New())
		for i, want := range []int64{0, int64(len(data)), int64(len(payload("1.1.0")) + len(data))} {
			raw := archive(t, []string{"1.0.0", "1.1.0", "1.1.0"}[i])
			var last slots.Progress
			opt := slots.StageOptions{Progress: func(p slots.Progress) { last = p }}
			slot := []bootctl.Slot{bootctl.A, bootctl.B, bootctl.B}[i]
			var err error
			if way.name == "stream" {
				_, err = s.Stage(context.Background(), slot, reader(raw), opt)
			} else {
				_, err = s.StageFile(context.Background(), slot, bytes.NewReader(raw), int64(len(raw)),
					nxs.DefaultLimits(), verify, opt)
			}
			if err != nil || last.Reused != want {
				t.Errorf("%s %d: %d bytes reused, %v; want %d", way.name, i, last.Reused, err, want)
			}
		}
	}
}

// A payload that is damaged on disk is received with the archive, and the damaged file is not touched.
func TestDamagedPayloadIsNotUsedAgain(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{"changed": flip, "cut": cut, "grown": grow} {
		for _, way := range ways {
			t.Run(name+", "+way.name, func(t *testing.T) {
				d := durabletest.New()
				s := open(t, d)
				mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
				damage(t, d, shared, change)
				if _, err := way.stage(s, bootctl.B, archive(t, "1.1.0")); err != nil {
					t.Fatal(err)
				}
				wantSlot(t, s, bootctl.B, "1.1.0")
				if s.Verify(bootctl.A, held(s, bootctl.A), verify) == nil {
					t.Error("the damage is gone")
				}
			})
		}
	}
}

// One damaged payload does not keep others from being reused.
func TestOnlyWhatIsDamagedIsWrittenAgain(t *testing.T) {
	key := updatestest.Key(1)
	set := func(version string) []byte {
		var bundles []updatestest.Made
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			bundles = append(bundles, updatestest.Bundle(name, "1.0.0", nil, []byte("payload of "+name), key))
		}
		return updatestest.Archive(t, key, version, bundles...)
	}
	d := durabletest.New()
	s := open(t, d)
	mustStage(t, s, bootctl.A, set("1.0.0"))
	damage(t, d, "a.nxb/payload.elf", flip)
	damage(t, d, "d.nxb/payload.elf", flip)
	from := len(d.Ops())
	mustStage(t, s, bootctl.B, set("1.1.0"))
	wantSlot(t, s, bootctl.B, "1.1.0")
	var written, linked []string
	for _, op := range d.Ops()[from:] {
		switch verb, name, _ := strings.Cut(op, " "); {
		case path.Base(name) != "payload.elf":
		case verb == "create":
			written = append(written, strings.Split(name, "/")[2])
		case verb == "link":
			linked = append(linked, strings.Split(name, "/")[2])
		}
	}
	if !slices.Equal(written, []string{"a.nxb", "d.nxb"}) || len(linked) != 4 {
		t.Errorf("written %q, linked %q", written, linked)
	}
}

// Even if the device has the payload, the bytes of the archive are verified.
func TestReusedPayloadIsVerifiedInTheArchive(t *testing.T) {
	raw := archive(t, "1.1.0")
	wrong := bytes.Replace(raw, []byte(data), []byte(strings.ToUpper(data)), 1)
	for _, way := range ways {
		for name, version := range map[string]string{"payload": "1.0.0", "set": "1.1.0"} {
			d := durabletest.New()
			s := open(t, d)
			mustStage(t, s, bootctl.A, archive(t, version))
			before := d.Snapshot()
			_, err := way.stage(s, bootctl.B, wrong)
			if refusal.Of(err) != refusal.DigestMismatch {
				t.Errorf("%s, device has the %s: got %v", way.name, name, err)
			}
			wantSame(t, d, before)
		}
	}
}

// An index that signs the digest of a payload on disk, but another size, cannot reuse it.
func TestReuseGoesByTheSizeToo(t *testing.T) {
	key := updatestest.Key(1)
	longer := updatestest.Bundle("beta", "1.0.0", nil, []byte(data+" and more"), key)
	lying := longer
	lying.Entry.PayloadSHA256 = nxs.Sum([]byte(data))
	index, err := updatestest.Index(key, "1.1.0", lying).Encode()
	if err != nil {
		t.Fatal(err)
	}
	raw := updatestest.ArchiveOf(t, key, index, longer)
	for _, way := range ways {
		d := durabletest.New()
		s := open(t, d)
		mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
		from := len(d.Ops())
		_, err := way.stage(s, bootctl.B, raw)
		wantReason(t, err, refusal.DigestMismatch)
		for _, op := range d.Ops()[from:] {
			if strings.HasPrefix(op, "link ") {
				t.Errorf("%s: %s", way.name, op)
			}
		}
	}
}

// Sets of before and after fs-verity digests share payloads. One of which an index claims another digest of blocks is
// not shared with it: there would be two contents for one index.
func TestReuseGoesByTheBlocksToo(t *testing.T) {
	key := updatestest.Key(1)
	plain := updatestest.Bundle("beta", "1.0.0", nil, []byte(data), key)
	lying := plain.Blocks()
	lying.Entry.PayloadVerity[0] ^= 1
	for _, c := range []struct {
		name       string
		held, then updatestest.Made
		links      int
		want       refusal.Reason
	}{
		{"before, after", plain, plain.Blocks(), 1, ""},
		{"after, before", plain.Blocks(), plain, 1, ""},
		{"after, after", plain.Blocks(), plain.Blocks(), 1, ""},
		{"before, lying", plain, lying, 0, refusal.DigestMismatch},
		{"after, lying", plain.Blocks(), lying, 0, refusal.DigestMismatch},
	} {
		for _, way := range ways {
			d := durabletest.New()
			s := open(t, d)
			mustStage(t, s, bootctl.A, updatestest.Archive(t, key, "1.0.0", c.held))
			index, err := updatestest.Index(key, "1.1.0", c.then).Encode()
			if err != nil {
				t.Fatal(err)
			}
			from, links := len(d.Ops()), 0
			_, err = way.stage(s, bootctl.B, updatestest.ArchiveOf(t, key, index, plain))
			for _, op := range d.Ops()[from:] {
				if strings.HasPrefix(op, "link ") {
					links++
				}
			}
			if refusal.Of(err) != c.want || links != c.links {
				t.Errorf("%s, %s: got %v, %d links", c.name, way.name, err, links)
			}
		}
	}
}

// On a real disk it is one file with two names, and replacing it repairs both sets.
func TestSharedOnTheRealDisk(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	s := open(t, durable.OS(root))
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	mustStage(t, s, bootctl.B, archive(t, "1.1.0"))
	same := func() bool {
		a, errA := root.Stat("a/" + shared)
		b, errB := root.Stat("b/" + shared)
		return errA == nil && errB == nil && os.SameFile(a, b)
	}
	if !same() {
		t.Fatal("the payload is there twice")
	}
	if err := root.Chmod("a/"+shared, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := root.WriteFile("a/"+shared, []byte(strings.ToUpper(data)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B} {
		wantReason(t, s.Verify(slot, held(s, slot), verify), refusal.DigestMismatch)
	}
	mustStage(t, s, bootctl.B, archive(t, "1.1.0"))
	wantSlot(t, s, bootctl.A, "1.0.0")
	wantSlot(t, s, bootctl.B, "1.1.0")
	if !same() {
		t.Error("mended, the payload is there twice")
	}
}

// Repairing one of two sets also repairs the other, even if the other's file is missing with its folder, or is not a
// second name.
func TestMendingMendsBoth(t *testing.T) {
	for name, harm := range map[string]func(*testing.T, *durabletest.Disk){
		"changed": func(t *testing.T, d *durabletest.Disk) { damage(t, d, shared, flip) },
		"gone": func(t *testing.T, d *durabletest.Disk) {
			damage(t, d, shared, flip)
			for _, name := range []string{"a/beta.nxb/payload.elf", "b/beta.nxb/payload.elf"} {
				if err := d.Remove(name); err != nil {
					t.Fatal(err)
				}
			}
		},
		"two files": func(t *testing.T, d *durabletest.Disk) {
			if err := d.Remove("b/" + shared); err != nil {
				t.Fatal(err)
			}
			if f, err := d.Create("b/"+shared, 0o444); err != nil || f.Close() != nil {
				t.Fatal(err)
			}
			damage(t, d, shared, flip)
		},
	} {
		for _, way := range ways {
			t.Run(name+", "+way.name, func(t *testing.T) {
				d := durabletest.New()
				s := open(t, d)
				mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
				mustStage(t, s, bootctl.B, archive(t, "1.1.0"))
				harm(t, d)
				for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B} {
					if s.Verify(slot, held(s, slot), verify) == nil {
						t.Fatalf("slot %s is not damaged", slot)
					}
				}
				if _, err := way.stage(s, bootctl.B, archive(t, "1.1.0")); err != nil {
					t.Fatal(err)
				}
				wantSlot(t, s, bootctl.A, "1.0.0")
				wantSlot(t, s, bootctl.B, "1.1.0")
				if _, err := slots.Open(d); err != nil {
					t.Fatal(err)
				}
				wantSets(t, d, 2)
			})
		}
	}
}

// While a payload of two sets is repaired, each name leads to the damaged file or the right one, whenever the power
// fails; once the stage is complete, both sets are intact. A failing step instead of the cut does no more harm.
func TestCutWhileMendingBoth(t *testing.T) {
	clean := diskHolding(t, durabletest.New(), "1.1.0")
	damage(t, clean, shared, flip)
	raw := archive(t, "1.1.0")
	bad := read(t, clean, "a/"+shared)
	for _, outcome := range durabletest.Outcomes() {
		for done, n := false, 0; !done; n++ {
			d := clean.Clone()
			s := open(t, d)
			d.CutAfter(n)
			_, err := stage(s, bootctl.B, raw)
			done = err == nil
			d = d.Reboot(outcome)
			s = open(t, d)
			for _, slot := range []string{"a", "b"} {
				if got := read(t, d, path.Join(slot, shared)); got != data && (done || got != bad) {
					t.Fatalf("cut after %d operations, %s: %q in slot %s", n, outcome.Name, got, slot)
				}
			}
			if done {
				wantSlot(t, s, bootctl.A, "1.0.0")
				wantSlot(t, s, bootctl.B, "1.1.0")
			}
			wantSets(t, d, 2)
		}
	}
}
