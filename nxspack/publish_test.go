package nxspack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A target that is not a regular file is left alone: a set packed to /dev/null must not replace the device.
func TestPublishReplacesRegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	folder, link, pipe := filepath.Join(dir, "folder"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.Mkdir(folder, 0o700), os.Symlink("elsewhere", link),
		syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{folder, link, pipe} {
		before, err := os.Lstat(target)
		if err != nil {
			t.Fatal(err)
		}
		err = publishFile(target, func(*os.File) error {
			t.Errorf("%s: it was written", target)
			return nil
		})
		after, statErr := os.Lstat(target)
		if err == nil || statErr != nil || after.Mode() != before.Mode() {
			t.Errorf("%s: got %v; it is %v, %v", target, err, after, statErr)
		}
	}
	if left := names(t, dir); len(left) != 3 {
		t.Errorf("it left %v", left)
	}
}

// The same failure always has the same text, with the name of the target and never that of the temporary.
func TestPublishErrorsNameTheTarget(t *testing.T) {
	inside := func(dir string) error { _, err := os.Open(filepath.Join(dir, "none")); return err }
	closed := func(f *os.File) error { return errors.Join(f.Close(), fill(f)) }
	for _, c := range []struct {
		name    string
		publish func(target string) error
		target  string
		want    error
	}{
		{"no folder for a file", func(target string) error { return publishFile(target, fill) }, "none/x",
			fs.ErrNotExist},
		{"no folder for a folder", func(target string) error { return publishDir(target, inside) }, "none/x",
			fs.ErrNotExist},
		{"file not written", func(target string) error { return publishFile(target, closed) }, "x", fs.ErrClosed},
		{"file in a folder", func(target string) error { return publishDir(target, inside) }, "x", fs.ErrNotExist},
		{"folder appears meanwhile", appears, "x", fs.ErrExist},
	} {
		t.Chdir(t.TempDir()) // relative targets: their temporaries begin with a dot and a slash, or do not
		err := c.publish(c.target)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.target) ||
			strings.Contains(err.Error(), "nxs-pack-") {
			t.Errorf("%s: got %v, want %v about %s", c.name, err, c.want, c.target)
		}
	}
}

func fill(f *os.File) error {
	_, err := f.WriteString("new")
	return err
}

// appears creates the target with content in the meantime.
func appears(target string) error {
	return publishDir(target, func(string) error { return os.MkdirAll(filepath.Join(target, "content"), 0o700) })
}
