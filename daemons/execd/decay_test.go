package execd

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// What a program failed by is damage if its payload, as a file on a disk, cannot be read any more.
func TestDecay(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "payload.elf")
	if err := os.WriteFile(name, make([]byte, 5000), 0o755); err != nil {
		t.Fatal(err)
	}
	sealed, err := plat.SealedMemory("payload", bytes.NewReader(make([]byte, 5000)), 5000)
	if err != nil {
		t.Fatal(err)
	}
	defer sealed.Close()
	failed := errors.New("signal 7 (bus error)")
	for _, c := range []struct {
		what    string
		payload func() (*os.File, error)
		reason  refusal.Reason
	}{
		{"a file that can be read", func() (*os.File, error) { return os.Open(name) }, refusal.IO},
		{"a file that cannot", func() (*os.File, error) { return os.Open(dir) }, refusal.Damaged},
		{"sealed memory", func() (*os.File, error) { return plat.Duplicate(sealed) }, refusal.IO},
	} {
		payload, err := c.payload()
		if err != nil {
			t.Fatal(err)
		}
		if !plat.OnDisk(sealed) && !plat.OnDisk(payload) && c.reason == refusal.Damaged {
			t.Skip("the folder for temporary files is mounted noexec")
		}
		if err := decayOf(payload, 5000, failed); refusal.Of(err) != c.reason {
			t.Errorf("%s: %v", c.what, err)
		}
		payload.Close()
	}
}

// A service that starts is native if its manifest says so: until it answers, nobody reaches it.
func TestAServiceStartsAsItsManifestSays(t *testing.T) {
	for _, native := range []bool{false, true} {
		s := &service{spec: spec{native: native}}
		if s.starts(); s.Native != native || s.State != health.Starting {
			t.Errorf("native %t: %t, %v", native, s.Native, s.State)
		}
	}
}

// A service whose payload is damaged is hindered, not at fault, and says that its slot is damaged.
func TestADamagedServiceIsNotAtFault(t *testing.T) {
	for _, reason := range []refusal.Reason{refusal.Damaged, refusal.DigestMismatch, refusal.WrongArchitecture,
		refusal.IO} {
		s := &service{sup: &supervisor{means: &means{forwarder: newForwarder(nil)}, changed: vat.NewNotifier()}}
		s.failedBy(refusal.New(reason, "no"))
		damaged := reason == refusal.Damaged || reason == refusal.DigestMismatch
		want := health.Hindered
		if reason == refusal.WrongArchitecture {
			want = health.StartFailed
		}
		if s.damaged != damaged || s.State != want {
			t.Errorf("%s: damaged %t, state %v", reason, s.damaged, s.State)
		}
		s.starts()
		if s.damaged {
			t.Errorf("%s: damaged after it was started", reason)
		}
	}
}
