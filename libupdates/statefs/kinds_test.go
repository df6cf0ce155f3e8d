package statefs_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"testing"

	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
	"nexus/libupdates/statefs"
)

// intruders are things that may be in place of a file or folder of the state.
func intruders() map[string]func(path string) error {
	return map[string]func(string) error{
		"file":    func(p string) error { return os.WriteFile(p, []byte("x"), 0o600) },
		"empty":   func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"folder":  func(p string) error { return os.MkdirAll(p+"/below", 0o700) },
		"link":    func(p string) error { return os.Symlink("keystore", p) },
		"outside": func(p string) error { return os.Symlink("/etc", p) },
		"nowhere": func(p string) error { return os.Symlink("nowhere", p) },
		"itself":  func(p string) error { return os.Symlink(path.Base(p), p) },
		"FIFO":    func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"socket":  func(p string) error { return syscall.Mknod(p, syscall.S_IFSOCK|0o600, 0) },
		"mode 0":  func(p string) error { return os.Mkdir(p, 0) },
	}
}

// populatedDir returns a real folder with a value in each prefix.
func populatedDir(t *testing.T) (string, durable.FS) {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	fsys := durable.OS(root)
	s := open(t, fsys)
	for name := range statefs.Quotas() {
		put(t, s.Prefix(name), "key", name)
	}
	return root.Name(), fsys
}

// If anything else has the name of a prefix, the folder can still be opened, what was there is set aside with a note,
// and the other prefixes are unchanged.
func TestAPrefixIsSetAside(t *testing.T) {
	for kind, place := range intruders() {
		for _, prefix := range []string{statefs.Boot, "apps"} {
			t.Run(prefix+" "+kind, func(t *testing.T) {
				dir, fsys := populatedDir(t)
				replace(t, dir+"/"+prefix, place)
				s := open(t, fsys)
				if kind == "folder" || kind == "mode 0" && os.Geteuid() == 0 {
					wantEmpty(t, s.Prefix(prefix)) // it is one, if not the one that was there
					return
				}
				wantMended(t, s, prefix+" was ")
				wantEmpty(t, s.Prefix(prefix))
				put(t, s.Prefix(prefix), "key", prefix)
				if _, err := os.Lstat(dir + "/" + prefix + ".set-aside.1"); err != nil {
					t.Error(err)
				}
				again := open(t, fsys)
				for name := range statefs.Quotas() {
					wantValue(t, again.Prefix(name), "key", name)
				}
				if notes := again.Notes(); len(notes) > 0 {
					t.Errorf("it is said again: %v", notes)
				}
			})
		}
	}
}

// Anything else with the name of a value is a damaged value, and the next put sets it aside. It never blocks, and no
// link is followed.
func TestAValueIsSetAside(t *testing.T) {
	for kind, place := range intruders() {
		t.Run(kind, func(t *testing.T) {
			dir, fsys := populatedDir(t)
			replace(t, dir+"/boot/key.value", place)
			s := open(t, fsys)
			_, err := s.Prefix(statefs.Boot).Get("key")
			wantRefusal(t, err, refusal.StateDamaged)
			put(t, s.Prefix(statefs.Boot), "key", "new")
			wantValue(t, open(t, fsys).Prefix(statefs.Boot), "key", "new")
		})
	}
}

// Even a link to the value itself is not a value.
func TestAValueIsNotReadThroughALink(t *testing.T) {
	dir, fsys := populatedDir(t)
	must(t, os.Rename(dir+"/boot/key.value", dir+"/boot/other"))
	must(t, os.Symlink("other", dir+"/boot/key.value"))
	_, err := open(t, fsys).Prefix(statefs.Boot).Get("key")
	wantRefusal(t, err, refusal.StateDamaged)
}

func TestTheLayoutsOwnFileIsMadeAnew(t *testing.T) {
	for kind, place := range intruders() {
		t.Run(kind, func(t *testing.T) {
			dir, fsys := populatedDir(t)
			replace(t, dir+"/statefs", place)
			if err := statefs.Identify(fsys); err != nil {
				t.Fatal(err)
			}
			open(t, fsys)
			if info, err := os.Lstat(dir + "/statefs"); err != nil || !info.Mode().IsRegular() {
				t.Errorf("it was not made anew: %v, %v", info, err)
			}
			for prefix := range statefs.Quotas() {
				wantValue(t, open(t, fsys).Prefix(prefix), "key", prefix)
			}
		})
	}
}

// Damage under a running system is repaired by the next put.
func TestAPrefixIsLostWhileItIsUsed(t *testing.T) {
	for kind, place := range intruders() {
		if kind == "folder" || kind == "mode 0" {
			continue // it is a prefix
		}
		t.Run(kind, func(t *testing.T) {
			dir, fsys := populatedDir(t)
			s := open(t, fsys)
			replace(t, dir+"/boot", place)
			if _, err := s.Prefix(statefs.Boot).Get("key"); err == nil {
				t.Error("a lost value was read")
			}
			put(t, s.Prefix(statefs.Boot), "key", "new")
			must(t, s.Prefix(statefs.Boot).Sync())
			wantMended(t, s, "boot was ")
			wantValue(t, open(t, fsys).Prefix(statefs.Boot), "key", "new")
		})
	}
	dir, fsys := populatedDir(t)
	s := open(t, fsys)
	must(t, os.RemoveAll(dir+"/boot"))
	put(t, s.Prefix(statefs.Boot), "key", "new")
	wantValue(t, open(t, fsys).Prefix(statefs.Boot), "key", "new")
}

// Nothing outside changes, wherever a link leads.
func TestNothingOutsideIsTouched(t *testing.T) {
	outside := t.TempDir()
	must(t, os.WriteFile(outside+"/key.value", statefs.EncodeValue("boot/key", []byte("outside")), 0o640))
	dir, fsys := populatedDir(t)
	replace(t, dir+"/boot", func(p string) error { return os.Symlink(outside, p) })
	s := open(t, fsys)
	_, err := s.Prefix(statefs.Boot).Get("key")
	wantRefusal(t, err, refusal.NoSuchKey)
	put(t, s.Prefix(statefs.Boot), "key", "inside")
	raw, err := os.ReadFile(outside + "/key.value")
	if err != nil || !bytes.Equal(raw, statefs.EncodeValue("boot/key", []byte("outside"))) {
		t.Errorf("what is outside is %q, %v", raw, err)
	}
	if names, err := os.ReadDir(outside); err != nil || len(names) != 1 {
		t.Errorf("outside there is %v, %v", names, err)
	}
}

func replace(t *testing.T, name string, place func(string) error) {
	t.Helper()
	must(t, os.RemoveAll(name))
	must(t, place(name))
}

func wantMended(t *testing.T, s *statefs.Store, begin string) {
	t.Helper()
	notes := s.Notes()
	if len(notes) != 1 || !notes[0].Mended || !strings.HasPrefix(notes[0].Text, begin) {
		t.Errorf("got the notes %v, want one about %q", notes, begin)
	}
}

func wantEmpty(t *testing.T, p *statefs.Prefix) {
	t.Helper()
	if entries, _, err := p.List("", "", 0); err != nil || len(entries) > 0 {
		t.Errorf("the prefix has %v, %v", entries, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}
