package slots_test

import (
	"bytes"
	"io/fs"
	"os"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// The main operations on a real disk: stage, refuse, replace, empty, open again.
func TestOnTheRealDisk(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	fsys := durable.OS(root)
	s := open(t, fsys)
	mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
	old := mustStage(t, s, bootctl.B, archive(t, "1.0.0"))
	before := tree(t, root)

	good := archive(t, "1.1.0")
	_, err = stage(s, bootctl.B, bytes.Replace(good, payload("1.1.0"), payload("1.1.1"), 1))
	wantReason(t, err, refusal.DigestMismatch)
	if diff := difference(tree(t, root), before); len(diff) > 0 {
		t.Errorf("the disk changed: %q", diff)
	}

	mustStage(t, s, bootctl.B, good)
	if err := root.Mkdir("sets/.stage", 0o755); err != nil { // as a cut would leave it
		t.Fatal(err)
	}
	s = open(t, fsys)
	wantSlot(t, s, bootctl.A, "1.0.0")
	wantSlot(t, s, bootctl.B, "1.1.0")
	set, err := slots.OpenSet(fsys, bootctl.A, old.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := set.CheckPayload("alpha.app"); err != nil {
		t.Error(err)
	}

	mustStage(t, s, bootctl.B, archive(t, "1.0.0"))
	if diff := difference(tree(t, root), before); len(diff) > 0 {
		t.Errorf("back to the first state, the disk differs: %q", diff)
	}
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B} {
		if err := s.Empty(slot); err != nil {
			t.Fatal(err)
		}
	}
	if got := tree(t, root); len(got) != 2 {
		t.Errorf("two empty slots leave %q", got)
	}
}

// tree lists everything below the root, with its bytes or its target.
func tree(t *testing.T, root *os.Root) []string {
	t.Helper()
	var lines []string
	err := fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		line := name + " " + entry.Type().String()
		switch {
		case entry.Type().IsRegular():
			data, err := root.ReadFile(name)
			if err != nil {
				return err
			}
			line += " " + string(data)
		case entry.Type() == fs.ModeSymlink:
			target, err := root.Readlink(name)
			if err != nil {
				return err
			}
			line += " " + target
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}
