package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// stdinName stands for standard input as the name of a set.
const stdinName = "-"

// An archive is the set given to a verb, as a file that can be read at any offset.
type archive struct {
	*os.File
	name string // for people
	size int64
}

// openArchive opens the set of that name. One that comes through a pipe is received first, into a file without a name
// that is gone when it is closed: the system needs its size, and reads it in place.
func (in *invocation) openArchive(ctx context.Context, path string) (archive, error) {
	if path == stdinName {
		if f, is := in.host.Stdin.(*os.File); is && term.IsTerminal(int(f.Fd())) {
			return archive{}, wrongUsage("standard input is a terminal: pipe a system set into it")
		}
		return receive(ctx, in.host.Stdin, "standard input")
	}
	info, err := os.Stat(path)
	switch {
	case err != nil && strings.Contains(path, "://"):
		return archive{}, wrongUsage("a set is a file, - for standard input, or in a registry: " +
			"oci://HOST[:PORT]/NAME:TAG")
	case err != nil:
		return archive{}, plain(err)
	case info.Mode()&os.ModeNamedPipe != 0:
		return receivePipe(ctx, path)
	case isBundle(path):
		return archive{}, errors.New("it is a bundle, not a system set (.nxs): nxs-pack makes a set of bundles")
	case !info.Mode().IsRegular():
		return archive{}, errors.New("it is not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return archive{}, plain(err)
	}
	return archive{file, path, info.Size()}, nil
}

// isBundle reports whether a path leads to a bundle, which is a folder.
func isBundle(path string) bool {
	_, err := os.Stat(filepath.Join(path, nxb.ManifestFile))
	return err == nil
}

// receivePipe receives a set from a named pipe, such as a shell's <(command).
func receivePipe(ctx context.Context, path string) (archive, error) {
	file, err := os.Open(path)
	if err != nil {
		return archive{}, plain(err)
	}
	defer file.Close()
	return receive(ctx, file, path)
}

// receive receives a set. Input that is not a set is refused early, however much of it would follow.
func receive(ctx context.Context, from io.Reader, name string) (archive, error) {
	file, err := os.CreateTemp("", "nx-set-")
	if err != nil {
		return archive{}, fmt.Errorf("cannot receive set: %w", plain(err))
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return archive{}, fmt.Errorf("cannot receive set: %w", plain(err))
	}
	size, err := copyArchive(ctx, file, from)
	if err != nil {
		file.Close()
		return archive{}, err
	}
	return archive{file, name, size}, nil
}

// copyArchive copies until the end, unless ctx ends before; the goroutine that still waits for the pipe is then
// abandoned.
func copyArchive(ctx context.Context, to *os.File, from io.Reader) (size int64, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		head := make([]byte, nxs.BlockSize)
		n, readErr := io.ReadFull(from, head)
		if readErr != nil && readErr != io.EOF && readErr != io.ErrUnexpectedEOF {
			err = fmt.Errorf("cannot receive set: %w", plain(readErr))
			return
		}
		if err = nxs.CheckStart(head[:n]); err != nil {
			return
		}
		if _, err = to.Write(head[:n]); err == nil {
			size, err = io.Copy(to, io.LimitReader(from, nxs.MaxPolicy))
			size += int64(n)
		}
		if err != nil {
			err = fmt.Errorf("cannot receive set: %w", plain(err))
		} else if size > nxs.MaxPolicy {
			err = refusal.New(refusal.ArchiveTooLarge, "it is larger than any policy allows")
		}
	}()
	select {
	case <-done:
		return size, err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}
