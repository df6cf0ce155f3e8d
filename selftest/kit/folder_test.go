package kit

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestChanges wants whatever differs to be found, and nothing else.
func TestChanges(t *testing.T) {
	before := Fingerprint{"same": "1", "owner": "2", "gone": "3"}
	after := Fingerprint{"same": "1", "owner": "4", "more": "5"}
	want := []string{"gone was 3, is ", "owner was 2, is 4", "more is new"}
	if got := before.Changes(after); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestFingerprint changes one thing at a time below a folder.
func TestFingerprint(t *testing.T) {
	for name, change := range map[string]func(dir string) error{
		"nothing": func(string) error { return nil },
		"content": func(dir string) error { return os.WriteFile(filepath.Join(dir, "f"), []byte("B"), 0) },
		"the same again": func(dir string) error {
			other := filepath.Join(dir, "g")
			if err := os.WriteFile(other, []byte("b"), 0o600); err != nil {
				return err
			}
			return os.Rename(other, filepath.Join(dir, "f"))
		},
		"mode":   func(dir string) error { return os.Chmod(filepath.Join(dir, "f"), 0o644) },
		"a file": func(dir string) error { return os.WriteFile(filepath.Join(dir, "g"), nil, 0o600) },
		"folder": func(dir string) error { return os.Chmod(dir, 0o700) },
	} {
		dir := t.TempDir()
		Must(t, os.WriteFile(filepath.Join(dir, "f"), []byte("b"), 0o600))
		before, err := FingerprintOf(dir)
		Must(t, err)
		Must(t, change(dir))
		after, err := FingerprintOf(dir)
		if found := before.Changes(after); err != nil || len(found) > 0 != (name != "nothing") {
			t.Errorf("%s: found %s, %v", name, strings.Join(found, "; "), err)
		}
	}
}
