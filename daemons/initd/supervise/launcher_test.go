package supervise

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// The links under which daemons are executed are made again, whatever has their name, or that of their folder, while
// the system runs.
func TestLinksAreMadeAgain(t *testing.T) {
	binary, other := filepath.Join(t.TempDir(), "nexus"), filepath.Join(t.TempDir(), "other")
	must(t, os.WriteFile(binary, nil, 0o700))
	must(t, os.WriteFile(other, nil, 0o700))
	places := map[string]func(path string) error{
		"nothing":  func(string) error { return nil },
		"its link": func(p string) error { return os.Symlink(binary, p) },
		"a link":   func(p string) error { return os.Symlink(other, p) },
		"a file":   func(p string) error { return os.WriteFile(p, []byte("precious"), 0o600) },
		"a folder": func(p string) error { return os.MkdirAll(p+"/below", 0o700) },
		"a FIFO":   func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"a socket": func(p string) error { return syscall.Mknod(p, syscall.S_IFSOCK|0o600, 0) },
	}
	for kind, place := range places {
		for _, name := range []string{"run/updated", "run"} {
			dir := t.TempDir()
			must(t, os.MkdirAll(filepath.Join(dir, "run"), 0o700))
			must(t, os.RemoveAll(filepath.Join(dir, name)))
			must(t, place(filepath.Join(dir, name)))
			p := &Processes{Bin: filepath.Join(dir, "run"), Binary: binary}
			link, err := p.link("updated")
			if target, linkErr := os.Readlink(link); err != nil || linkErr != nil || target != binary {
				t.Errorf("%s in place of %s: the link leads to %q, %v", kind, name, target, errors.Join(err, linkErr))
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
