package slots_test

import (
	"os"
	"path/filepath"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/slots"
	"nexus/libupdates/updatestest"
)

// Any damage to any part of a slot affects only that slot: it is found, the other slot holds its set, the store opens
// again, and staging the same set repairs the slot.
func TestEveryDamageOnTheRealDisk(t *testing.T) {
	for _, at := range []string{
		"a", "a/.", "a/system.nxsindex", "a/system.sig.ed25519", "a/alpha.app.nxb", "a/alpha.app.nxb/manifest.nxb",
		"a/alpha.app.nxb/payload.elf",
	} {
		for _, damage := range updatestest.Damages() {
			t.Run(filepath.Base(at)+" "+damage.Name, func(t *testing.T) {
				root, err := os.OpenRoot(updatestest.TempDir(t))
				must(t, err)
				t.Cleanup(func() { root.Close() })
				fsys := durable.OS(root)
				s := open(t, fsys)
				mustStage(t, s, bootctl.B, archive(t, "1.1.0"))
				set := mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
				done, err := damage.Do(place(root, at))
				must(t, err)
				if !done {
					return // it makes no sense for what is there, or for root
				}

				err = s.Verify(bootctl.A, set.Digest, verify)
				if _, damaged := slots.DamageOf(err); !damaged {
					t.Errorf("verify says %v", err)
				}
				if _, err := slots.OpenSet(fsys, bootctl.A, set.Digest); err != nil {
					if _, damaged := slots.DamageOf(err); !damaged {
						t.Errorf("opening it says %v", err)
					}
				}
				s = open(t, fsys)
				wantSlot(t, s, bootctl.B, "1.1.0")
				if err := s.Verify(bootctl.A, set.Digest, verify); err == nil {
					t.Error("opening the store mended it")
				}
				mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
				wantSlot(t, s, bootctl.A, "1.0.0")
				wantSlot(t, s, bootctl.B, "1.1.0")
			})
		}
	}
}

// If sets/ is replaced by something else, the store creates it again and follows no link.
func TestEveryDamageOfTheSetsFolder(t *testing.T) {
	for _, damage := range updatestest.Damages() {
		root, err := os.OpenRoot(updatestest.TempDir(t))
		must(t, err)
		t.Cleanup(func() { root.Close() })
		s := open(t, durable.OS(root))
		set := mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
		if damage.Name == "mode 000" {
			continue // only its owner can repair that
		}
		if done, err := damage.Do(place(root, "sets")); err != nil || !done {
			continue
		}
		s = open(t, durable.OS(root))
		if _, damaged := slots.DamageOf(s.Verify(bootctl.A, set.Digest, verify)); !damaged {
			t.Errorf("%s: the slot is not damaged", damage.Name)
		}
		mustStage(t, s, bootctl.A, archive(t, "1.0.0"))
		wantSlot(t, s, bootctl.A, "1.0.0")
	}
}

// place returns the path for a name: for a slot, its link; for a slot's ".", the folder of its set.
func place(root *os.Root, name string) string {
	if dir, err := filepath.EvalSymlinks(filepath.Join(root.Name(), filepath.Dir(name))); err == nil &&
		filepath.Base(name) != "." {
		return filepath.Join(dir, filepath.Base(name))
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(root.Name(), name))
	if err != nil {
		panic(err)
	}
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
