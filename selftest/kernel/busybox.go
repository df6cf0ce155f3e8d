package kernel

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Busybox returns the static busybox for one kind of guest, with which our own tools are compared. It fetches it into
// the cache folder if it is missing, and reports that on show.
func Busybox(ctx context.Context, cache, guest string, show io.Writer) (string, error) {
	a, err := archOf(guest)
	if err != nil {
		return "", err
	}
	cache, err = filepath.Abs(cache)
	if err != nil {
		return "", err
	}
	kept := filepath.Join(cache, strings.TrimSuffix(path.Base(a.busybox.path), ".deb"), "busybox")
	if exists(kept) {
		return kept, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(cache, "fetch-") // in the same folder as the destination, so that it can be renamed
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	apt, err := newApt(tools{show: show}, dir, a)
	if err != nil {
		return "", err
	}
	apt.say("fetching %s", path.Base(a.busybox.path))
	file, err := apt.downloadPinned(ctx, a.busybox)
	if err != nil {
		return "", hinted(err, "is the network there? and does "+mirror+" still have that version?")
	}
	if _, err := apt.run(ctx, dir, "dpkg-deb", "-x", file, "all"); err != nil {
		return "", err
	}
	program, err := one(filepath.Join(dir, "all", "usr", "bin", "busybox"))
	if err != nil {
		return "", fmt.Errorf("cannot find busybox in its package: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		return "", err
	}
	return kept, os.Rename(program, kept)
}
