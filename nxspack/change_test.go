package nxspack

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// A payload changes after it was opened and before it is copied.
func TestRejectPayloadThatChangesWhilePacked(t *testing.T) {
	for payload, want := range map[string]refusal.Reason{
		"program": "", "PROGRAM": refusal.DigestMismatch, "program, longer": refusal.SizeMismatch,
		"prog": refusal.SizeMismatch,
	} {
		dir := t.TempDir()
		set := prepared(t, dir, "program")
		if payload != "program" {
			rewrite(t, set.bundles[0], payload)
		}
		target := filepath.Join(dir, "out", "x.nxs")
		err := publishFile(target, func(f *os.File) error { return set.write(t.Context(), f) })
		if got := refusal.Of(err); got != want {
			t.Errorf("%q: got %v, want %q", payload, err, want)
		}
		if want != "" && !strings.Contains(err.Error(), "changed while it was packed") {
			t.Errorf("%q: got %q", payload, err)
		}
		if left := names(t, filepath.Dir(target)); want != "" && len(left) > 0 {
			t.Errorf("%q: it left %v", payload, left)
		}
	}
}

// prepared returns a set of one bundle on disk, ready to be written.
func prepared(t *testing.T, dir, payload string) *preparedSet {
	t.Helper()
	key := trust.NewSigner([32]byte{1})
	m, err := manifestToml{Name: "a", Version: "1.0.0"}.sign(contentOf([]byte(payload)), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := encodeManifest(m)
	if err == nil {
		err = errors.Join(os.Mkdir(filepath.Join(dir, "in"), 0o700), os.Mkdir(filepath.Join(dir, "out"), 0o700))
	}
	if err == nil {
		err = makeBundle(filepath.Join(dir, "in", "a.nxb"), raw, strings.NewReader(payload))
	}
	if err != nil {
		t.Fatal(err)
	}
	bundles, err := readFolders(filepath.Join(dir, "in"), anyDevice())
	if err != nil {
		t.Fatal(err)
	}
	set, err := newPreparedSet(setMeta{SystemVersion: "1.0.0"}, bundles, key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.close)
	return set
}

// rewrite writes a payload again, with a different time whatever the resolution of the file system's clock.
func rewrite(t *testing.T, b bundleFolder, payload string) {
	t.Helper()
	name := filepath.Join(b.path, nxb.PayloadFile)
	later := b.payload.was.ModTime().Add(time.Second)
	if err := errors.Join(os.WriteFile(name, []byte(payload), 0o600), os.Chtimes(name, later, later)); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// A target is complete or unchanged.
func TestPublishLeavesTheTargetAloneOnFailure(t *testing.T) {
	dir := t.TempDir()
	file, folder := filepath.Join(dir, "file"), filepath.Join(dir, "folder")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("no more")
	err := publishFile(file, func(f *os.File) error {
		f.WriteString("half of the new")
		return broken
	})
	if got, _ := os.ReadFile(file); !errors.Is(err, broken) || string(got) != "old" {
		t.Errorf("got %q, %v", got, err)
	}
	err = publishDir(folder, func(dir string) error {
		return errors.Join(os.WriteFile(filepath.Join(dir, "half"), nil, 0o600), broken)
	})
	if left := names(t, dir); !errors.Is(err, broken) || len(left) != 1 {
		t.Errorf("got %v, left %v", err, left)
	}
}
