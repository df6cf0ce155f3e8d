package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// tools runs programs of a Debian system.
type tools struct {
	show io.Writer // gets one line per action
}

// run runs a program in a folder and returns its output. If it fails, the error has the last lines of its output.
func (t tools) run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	// A package tool must not be interrupted in the middle of its work.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", hinted(fmt.Errorf("cannot run %s: not installed", name),
			"a Debian system has it; elsewhere `make run GUEST=host` needs only Go")
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", fmt.Errorf("cannot run %s: %w: %s", name, err, lastLines(errs.String()+out.String(), 3))
	}
	return out.String(), nil
}

func (t tools) say(format string, args ...any) { fmt.Fprintf(t.show, format+"\n", args...) }

// lastLines joins the last n lines of a text that are not blank.
func lastLines(text string, n int) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}

// A hintError is an error with advice.
type hintError struct {
	error
	hint string
}

// hinted adds advice to an error that has none.
func hinted(err error, hint string) error {
	var known *hintError
	if errors.As(err, &known) {
		return err
	}
	return &hintError{err, hint}
}

func (e *hintError) Unwrap() error { return e.error }

// Hint says what to do about it.
func (e *hintError) Hint() string { return e.hint }
