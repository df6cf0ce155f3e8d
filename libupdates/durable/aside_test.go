package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
)

// Anything that takes a name is set aside, at most four times per name.
func TestSetAside(t *testing.T) {
	real, _ := realFS(t)
	for kind, d := range map[string]durable.FS{"real": real, "fake": durabletest.New()} {
		for n, want := range []string{"x.set-aside.1", "x.set-aside.2", "x.set-aside.3", "x.set-aside.4",
			"x.set-aside.4"} {
			if err := durable.WriteFile(d, "x", []byte{byte(n)}); err != nil {
				t.Fatal(err)
			}
			to, err := durable.SetAside(d, "x")
			if err != nil || to != want {
				t.Errorf("%s: set aside as %q, %v; want %q", kind, to, err, want)
			}
			if got := read(t, d, want); got != string([]byte{byte(n)}) {
				t.Errorf("%s: %s holds %q", kind, want, got)
			}
		}
		if _, err := d.Kind("x"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the name is not free: %v", kind, err)
		}
	}
}

func TestNamesSetAside(t *testing.T) {
	for name, want := range map[string]string{"boot.set-aside.1": "boot", "a.value.set-aside.4": "a.value"} {
		if was, is := durable.Aside(name); !is || was != want {
			t.Errorf("%s: %q, %v", name, was, is)
		}
	}
	for _, name := range []string{"boot", "boot.set-aside.", "boot.set-aside.0", "boot.set-aside.5",
		"boot.set-aside.11"} {
		if _, is := durable.Aside(name); is {
			t.Errorf("%s was not set aside, but counts as such", name)
		}
	}
}

// Kind, ReadDir and SyncDir never block and open nothing, whatever has the name.
func TestKinds(t *testing.T) {
	d, root := realFS(t)
	dir := root.Name()
	for _, err := range []error{
		os.Mkdir(dir+"/folder", 0o700), os.WriteFile(dir+"/file", nil, 0o600), os.Symlink("folder", dir+"/link"),
		syscall.Mkfifo(dir+"/FIFO", 0o600), syscall.Mknod(dir+"/socket", syscall.S_IFSOCK|0o600, 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"folder", "file", "link", "FIFO", "socket"} {
		kind, err := d.Kind(name)
		if got := durable.KindName(kind); err != nil || got != "a "+name {
			t.Errorf("%s is %s, %v", name, got, err)
		}
	}
	for _, name := range []string{"file", "FIFO", "socket"} {
		if names, err := d.ReadDir(name); err == nil {
			t.Errorf("%s was listed: %q", name, names)
		}
		if err := d.SyncDir(name); err == nil {
			t.Errorf("%s was synced", name)
		}
	}
}
