package plat_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"nexus/daemons/plat"
)

// A device is opened as far as that is granted, by way of a link as well; nothing else is opened.
func TestOpenDevice(t *testing.T) {
	dir := t.TempDir()
	link, file, fifo := filepath.Join(dir, "link"), filepath.Join(dir, "file"), filepath.Join(dir, "fifo")
	for _, err := range []error{os.Symlink("/dev/zero", link), os.WriteFile(file, nil, 0o600),
		syscall.Mkfifo(fifo, 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/dev/zero", link} {
		for _, write := range []bool{false, true} {
			f, err := plat.OpenDevice(path, write)
			if err != nil {
				t.Fatal(err)
			}
			_, readErr := f.Read(make([]byte, 4))
			_, writeErr := f.Write([]byte("x"))
			if readErr != nil || (writeErr == nil) != write {
				t.Errorf("%s, to write %v: reads %v, writes %v", path, write, readErr, writeErr)
			}
			f.Close()
		}
	}
	for _, path := range []string{file, fifo, dir} {
		f, err := plat.OpenDevice(path, true)
		if f != nil || err == nil || !strings.HasSuffix(err.Error(), "it is not a device") {
			t.Errorf("%s: got %v", path, err)
		}
		if why := plat.NoDevice(path); why != "cannot use "+path+": it is not a device" {
			t.Errorf("%s: got %q", path, why)
		}
	}
	missing := filepath.Join(dir, "missing")
	if _, err := plat.OpenDevice(missing, false); err == nil || plat.NoDevice(missing) != "" ||
		plat.NoDevice("/dev/zero") != "" {
		t.Errorf("what is missing: %v, %q", err, plat.NoDevice(missing))
	}
}
