package kernel

import (
	"context"
	_ "embed"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

//go:embed fetch.sh
var script string

// Where packages come from: Debian's mirror, and the release of which kernels are.
const (
	mirror = "http://deb.debian.org/debian"
	suite  = "trixie"
)

// Get installs the emulator on this host and fetches the kernel for one kind of guest into the cache folder. It reports
// its progress on show. A cached kernel is kept; with refresh, it is replaced by the newest kernel of the suite, as it
// is if the mirror no longer has the pinned one.
func Get(ctx context.Context, cache, guest string, refresh bool, show io.Writer) (Cached, error) {
	a, err := archOf(guest)
	if err != nil {
		return Cached{}, err
	}
	if cached, err := Find(cache, guest); err == nil && !refresh {
		return cached, nil
	}
	if err := a.fetch(ctx, show, "tools"); err != nil {
		return Cached{}, err
	}
	more := ""
	if refresh {
		more = "REFRESH=1"
	}
	if err := a.fetch(ctx, show, "kernel", append(a.kernel.from(mirror, cache, guest), more)...); err != nil {
		return Cached{}, err
	}
	return Find(cache, guest)
}

// Busybox returns the static busybox for one kind of guest, with which our own tools are compared. It fetches it into
// the cache folder if it is missing, and reports that on show.
func Busybox(ctx context.Context, cache, guest string, show io.Writer) (string, error) {
	a, err := archOf(guest)
	if err != nil {
		return "", err
	}
	name := filepath.Join(strings.TrimSuffix(path.Base(a.busybox.path), ".deb"), "busybox")
	kept := filepath.Join(cache, name)
	if exists(kept) {
		return kept, nil
	}
	return kept, a.fetch(ctx, show, "busybox", a.busybox.from(mirror, cache, name)...)
}

// from says to fetch.sh which package to fetch, and where to put it.
func (p pin) from(mirror, cache, name string) []string {
	abs, err := filepath.Abs(cache)
	if err != nil {
		abs = cache // the script then says what is wrong with it
	}
	return []string{"MIRROR=" + mirror, "PIN=" + p.path, "SHA256=" + p.sha256, "CACHE=" + abs,
		"INTO=" + filepath.Join(abs, name)}
}

// fetch runs fetch.sh. A package tool is never interrupted in the middle of its work: bash waits for it.
func (a arch) fetch(ctx context.Context, show io.Writer, what string, env ...string) error {
	cmd := exec.CommandContext(ctx, "bash", "-c", script, "fetch", what)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Env = append(append(os.Environ(), "SUITE="+suite, "DEBIAN="+a.debian, "IMAGE="+a.image, "PACKAGES="+a.packages,
		"MODULES="+strings.Join(a.modules(), " "), "DISK_MODULES="+diskModules), env...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = show, &said
	err := cmd.Run()
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	what, hint, _ := strings.Cut(strings.TrimSpace(said.String()), "\nhint: ")
	if what == "" {
		return err
	}
	return &hintError{errors.New(what), hint}
}

// A hintError is an error with advice.
type hintError struct {
	error
	hint string
}

// Hint says what to do about it.
func (e *hintError) Hint() string { return e.hint }
