package damage

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
)

// A Way is one kind of damage. Do reports whether it changed anything: an empty file cannot be cut in half.
type Way struct {
	Name string
	Do   func(t Target) (bool, error)
}

// A Target is what is damaged.
type Target struct {
	Path  string // in the cell's system
	Aside string // where it may be moved to, outside the system
	Older string // what stood there in an older stand of the system, and
	First string // in the first; empty: nothing
}

// stranger is a user that nothing of the system runs as.
const stranger = 4242

// ways are all kinds of damage.
func ways() []Way {
	return []Way{
		{"emptied", func(t Target) (bool, error) { return t.resize(func(raw []byte) []byte { return nil }) }},
		{"halved",
			func(t Target) (bool, error) { return t.resize(func(raw []byte) []byte { return raw[:len(raw)/2] }) }},
		{"byte", func(t Target) (bool, error) { return t.rewrite(flip) }},
		{"longer", func(t Target) (bool, error) {
			return t.resize(func(raw []byte) []byte { return append(raw, "stray"...) })
		}},
		{"deleted", func(t Target) (bool, error) { return true, os.RemoveAll(t.Path) }},
		{"folder", func(t Target) (bool, error) { return t.instead(func() error { return os.Mkdir(t.Path, 0o755) }) }},
		{"file", func(t Target) (bool, error) {
			return t.instead(func() error { return os.WriteFile(t.Path, []byte("stray"), 0o644) })
		}},
		{"link", func(t Target) (bool, error) {
			return t.instead(
				func() error { return os.Symlink(t.Aside, t.Path) })
		}},
		{"dangling", func(t Target) (bool, error) {
			return t.instead(func() error { return os.Symlink(t.Aside+".gone", t.Path) })
		}},
		{"loop", func(t Target) (bool, error) {
			return t.instead(func() error { return os.Symlink(filepath.Base(t.Path), t.Path) })
		}},
		{"fifo", func(t Target) (bool, error) { return t.instead(func() error { return command("mkfifo", t.Path) }) }},
		{"socket", func(t Target) (bool, error) { return t.instead(t.listen) }},
		{"mode", func(t Target) (bool, error) { return t.reown(func() error { return os.Chmod(t.Path, 0) }) }},
		{"owner", func(t Target) (bool, error) {
			if os.Geteuid() != 0 {
				return false, nil // only root can give things away
			}
			return t.reown(func() error { return os.Lchown(t.Path, stranger, stranger) })
		}},
		{"older", func(t Target) (bool, error) { return t.restore(t.Older) }},
		{"first", func(t Target) (bool, error) { return t.restore(t.First) }},
	}
}

// flip turns one bit in the middle over; a link's target goes elsewhere.
func flip(raw []byte) []byte {
	if len(raw) > 0 {
		raw[len(raw)/2] ^= 1
	}
	return raw
}

// rewrite changes what a file or a link holds, in place.
func (t Target) rewrite(change func([]byte) []byte) (bool, error) {
	info, err := os.Lstat(t.Path)
	if err != nil {
		return false, err
	}
	switch info.Mode().Type() {
	case 0:
		raw, err := os.ReadFile(t.Path)
		if err != nil {
			return false, err
		}
		changed := change(bytes.Clone(raw))
		err = errors.Join(os.Chmod(t.Path, 0o600), os.WriteFile(t.Path, changed, 0), os.Chmod(t.Path, info.Mode()))
		return !bytes.Equal(raw, changed), err
	case os.ModeSymlink:
		leads, err := os.Readlink(t.Path)
		if err != nil {
			return false, err
		}
		changed := string(change([]byte(leads)))
		if changed == leads || changed == "" {
			return false, nil
		}
		return true, replace(t.Path, func() error { return os.Symlink(changed, t.Path) })
	}
	return false, nil
}

// resize is rewrite, and for a folder: it loses its entries, the later half of them, or gets one more.
func (t Target) resize(change func([]byte) []byte) (bool, error) {
	entries, err := os.ReadDir(t.Path)
	if info, e := os.Lstat(t.Path); e != nil || !info.IsDir() {
		return t.rewrite(change)
	}
	if err != nil {
		return false, err
	}
	kept := len(change(make([]byte, len(entries))))
	if kept > len(entries) {
		return true, os.WriteFile(filepath.Join(t.Path, "stray"), []byte("stray"), 0o644)
	}
	for _, entry := range entries[kept:] {
		if err := os.RemoveAll(filepath.Join(t.Path, entry.Name())); err != nil {
			return false, err
		}
	}
	return kept < len(entries), nil
}

// instead moves the original aside, out of the system, and puts something else in its place.
func (t Target) instead(put func() error) (bool, error) {
	if err := os.Rename(t.Path, t.Aside); err != nil {
		return false, err
	}
	return true, put()
}

// listen leaves a socket behind that nobody serves.
func (t Target) listen() error {
	near := filepath.Join(filepath.Dir(t.Aside), "s") // the name of a socket is short
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: near, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	return os.Rename(near, t.Path)
}

// reown changes who may do what with a file or folder; a link has no mode.
func (t Target) reown(change func() error) (bool, error) {
	info, err := os.Lstat(t.Path)
	if err != nil || info.Mode().Type() == os.ModeSymlink {
		return false, err
	}
	return true, change()
}

// restore puts an older copy in the place.
func (t Target) restore(from string) (bool, error) {
	if from == "" {
		return false, nil
	}
	if command("diff", "-r", "--no-dereference", from, t.Path) == nil {
		return false, nil // it has not changed since
	}
	return true, replace(t.Path, func() error { return command("cp", "-a", from, t.Path) })
}

func replace(path string, put func() error) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return put()
}
