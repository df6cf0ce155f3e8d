package durable_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"testing"

	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
)

func realFS(t *testing.T) (durable.FS, *os.Root) {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return durable.OS(root), root
}

// The disk for tests behaves like a real one: each step of this script has the same result on both.
func TestDiskBehavesLikeTheRealOne(t *testing.T) {
	real, _ := realFS(t)
	fake := durabletest.New()
	create := func(name, data string) func(durable.FS) error {
		return func(d durable.FS) error {
			f, err := d.Create(name, 0o644)
			if err != nil {
				return err
			}
			_, err = f.Write([]byte(data))
			return errors.Join(err, f.Sync(), f.Close())
		}
	}
	open := func(name string) func(durable.FS) error {
		return func(d durable.FS) error {
			f, err := d.Open(name)
			if err != nil {
				return err
			}
			return f.Close()
		}
	}
	list := func(name string, want ...string) func(durable.FS) error {
		return func(d durable.FS) error {
			got, err := d.ReadDir(name)
			if err == nil && !slices.Equal(got, want) {
				t.Errorf("list %s: got %q, want %q", name, got, want)
			}
			return err
		}
	}
	for _, step := range []struct {
		name string
		do   func(durable.FS) error
		want error // nil: accepted
	}{
		{"mkdir", func(d durable.FS) error { return d.Mkdir("dir") }, nil},
		{"mkdir again", func(d durable.FS) error { return d.Mkdir("dir") }, fs.ErrExist},
		{"mkdir below nothing", func(d durable.FS) error { return d.Mkdir("none/dir") }, fs.ErrNotExist},
		{"create", create("dir/file", "bytes"), nil},
		{"create again", create("dir/file", "bytes"), fs.ErrExist},
		{"reopen", func(d durable.FS) error {
			f, err := d.Reopen("dir/file")
			if err != nil {
				return err
			}
			_, err = f.Write([]byte("BY"))
			err = errors.Join(err, f.Reserve(100), f.Close())
			if r, openErr := d.Open("dir/file"); openErr != nil {
				t.Error(openErr)
			} else if got, readErr := io.ReadAll(r); string(got) != "BYtes" || readErr != nil {
				t.Errorf("reopened file holds %q: %v", got, readErr)
			}
			return err
		}, nil},
		{"reopen nothing", func(d durable.FS) error { _, err := d.Reopen("dir/none"); return err }, fs.ErrNotExist},
		{"reopen a directory", func(d durable.FS) error { _, err := d.Reopen("dir"); return err }, durable.ErrKind},
		{"create below nothing", create("none/file", ""), fs.ErrNotExist},
		{"create below a file", create("dir/file/x", ""), syscall.ENOTDIR},
		{"link to a directory", func(d durable.FS) error { return d.Symlink("dir", "link") }, nil},
		{"link again", func(d durable.FS) error { return d.Symlink("other", "link") }, fs.ErrExist},
		{"open through the link", open("link/file"), nil},
		{"open nothing", open("dir/none"), fs.ErrNotExist},
		{"open a directory", open("dir"), durable.ErrKind},
		{"open a link", open("link"), durable.ErrKind},
		{"open below a file", open("dir/file/x"), durable.ErrKind},
		{"list a file", list("dir/file"), durable.ErrKind},
		{"list a link", list("link"), durable.ErrKind},
		{"read a file as a link", func(d durable.FS) error { _, err := d.Readlink("dir/file"); return err },
			durable.ErrKind},
		{"read no link", func(d durable.FS) error { _, err := d.Readlink("none"); return err }, fs.ErrNotExist},
		{"second name", func(d durable.FS) error { return d.Link("dir/file", "second") }, nil},
		{"second name again", func(d durable.FS) error { return d.Link("dir/file", "second") }, fs.ErrExist},
		{"list", list("dir", "file"), nil},
		{"list root", list(".", "dir", "link", "second"), nil},
		{"rename", func(d durable.FS) error { return d.Rename("second", "dir/moved") }, nil},
		{"rename over a link", func(d durable.FS) error {
			return errors.Join(d.Symlink("nowhere", "new"), d.Rename("new", "link"))
		}, nil},
		{"open a dangling link", open("link"), durable.ErrKind},
		{"rename nothing", func(d durable.FS) error { return d.Rename("none", "x") }, fs.ErrNotExist},
		{"rename over a full directory", func(d durable.FS) error {
			return errors.Join(d.Mkdir("empty"), d.Rename("empty", "dir"))
		}, fs.ErrExist},
		{"rename a file over a directory", func(d durable.FS) error { return d.Rename("dir/file", "empty") },
			fs.ErrExist},
		{"remove a full directory", func(d durable.FS) error { return d.Remove("dir") }, syscall.ENOTEMPTY},
		{"remove", func(d durable.FS) error { return d.Remove("dir/moved") }, nil},
		{"remove again", func(d durable.FS) error { return d.Remove("dir/moved") }, fs.ErrNotExist},
		{"sync directory", func(d durable.FS) error { return d.SyncDir("dir") }, nil},
		{"sync no directory", func(d durable.FS) error { return d.SyncDir("none") }, fs.ErrNotExist},
		{"remove all", func(d durable.FS) error { return d.RemoveAll("dir") }, nil},
		{"remove all again", func(d durable.FS) error { return d.RemoveAll("dir") }, nil},
		{"list the rest", list(".", "empty", "link"), nil},
	} {
		for kind, d := range map[string]durable.FS{"real": real, "fake": fake} {
			err := step.do(d)
			if step.want == nil && err != nil || step.want != nil && !errors.Is(err, step.want) {
				t.Errorf("%s on the %s disk: got %v, want %v", step.name, kind, err, step.want)
			}
		}
	}
}

// Another kind of thing in place of a file or folder is told apart from a missing one, and a FIFO does not block.
func TestOfAnotherKind(t *testing.T) {
	d, root := realFS(t)
	if err := errors.Join(
		syscall.Mkfifo(root.Name()+"/fifo", 0o600),
		root.Symlink("/", "out"),
		root.Symlink("loop", "loop"),
		root.Symlink("fifo", "link"),
	); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fifo", "fifo/file", "out", "out/etc/passwd", "loop", "loop/file", "link"} {
		if _, err := d.Open(name); !errors.Is(err, durable.ErrKind) {
			t.Errorf("open %s: got %v", name, err)
		}
	}
	for _, name := range []string{"fifo", "fifo/dir", "loop", "link"} {
		if _, err := d.ReadDir(name); !errors.Is(err, durable.ErrKind) {
			t.Errorf("list %s: got %v", name, err)
		}
		if err := d.SyncDir(name); !errors.Is(err, durable.ErrKind) {
			t.Errorf("sync directory %s: got %v", name, err)
		}
	}
	if _, err := d.Readlink("fifo"); !errors.Is(err, durable.ErrKind) {
		t.Errorf("read link: got %v", err)
	}
}

func TestRealFileIsReservedAndWritten(t *testing.T) {
	d, _ := realFS(t)
	f, err := d.Create("file", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Allocate(5), f.Allocate(0)); err != nil {
		t.Fatal(err)
	}
	_, err = f.Write([]byte("hello"))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, d, "file"); got != "hello" {
		t.Errorf("got %q", got)
	}
}

// A pebibyte is more than any disk these tests run on has.
func TestRealDiskRefusesWhatDoesNotFit(t *testing.T) {
	d, _ := realFS(t)
	f, err := d.Create("file", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	switch err := f.Allocate(1 << 50); {
	case err == nil:
		t.Skip("this file system reserves nothing")
	case errors.Is(err, syscall.EFBIG):
		t.Skip("this file system bounds the size of a file first")
	case refusal.Of(err) != refusal.NoSpace:
		t.Errorf("got %v, want reason %q", err, refusal.NoSpace)
	}
}

func TestOpenNeverWaitsOrLeaves(t *testing.T) {
	d, root := realFS(t)
	if err := syscall.Mkfifo(root.Name()+"/fifo", 0o600); err != nil {
		t.Skip("no FIFOs here: ", err)
	}
	if err := os.Symlink("/etc/hostname", root.Name()+"/out"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fifo", "out", "."} {
		if f, err := d.Open(name); err == nil {
			f.Close()
			t.Errorf("opened %s", name)
		}
	}
}

func TestWriteFileOnTheRealDisk(t *testing.T) {
	d, _ := realFS(t)
	for _, data := range []string{"one", "two"} {
		if err := durable.WriteFile(d, "file", []byte(data)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, d, "file"); got != data {
			t.Errorf("got %q, want %q", got, data)
		}
	}
	if names, err := d.ReadDir("."); err != nil || !slices.Equal(names, []string{"file"}) {
		t.Errorf("got %q, %v; want only the file", names, err)
	}
}
