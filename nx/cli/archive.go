package cli

import (
	"bytes"
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
		return receive(ctx, &pipe{path: path}, path)
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

// A pipe is a named pipe, such as that of a shell's <(command). It is opened when it is read first, because that waits
// until somebody writes to it.
type pipe struct {
	path string
	file *os.File
}

func (p *pipe) Read(b []byte) (n int, err error) {
	if p.file == nil {
		if p.file, err = os.Open(p.path); err != nil {
			return 0, err
		}
	}
	return p.file.Read(b)
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
func copyArchive(ctx context.Context, to io.Writer, from io.Reader) (int64, error) {
	type outcome struct {
		size int64
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		size, err := copyAll(to, from)
		done <- outcome{size, err}
	}()
	select {
	case o := <-done:
		return o.size, o.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func copyAll(to io.Writer, from io.Reader) (int64, error) {
	head := make([]byte, nxs.BlockSize)
	n, err := io.ReadFull(from, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return 0, fmt.Errorf("cannot receive set: %w", plain(err))
	}
	head = head[:n]
	if err := nxs.CheckStart(head); err != nil {
		return 0, err
	}
	size, err := io.Copy(to, io.LimitReader(io.MultiReader(bytes.NewReader(head), from), nxs.MaxPolicy+1))
	switch {
	case err != nil:
		return 0, fmt.Errorf("cannot receive set: %w", plain(err))
	case size > nxs.MaxPolicy:
		return 0, refusal.New(refusal.ArchiveTooLarge, "it is larger than any policy allows")
	}
	return size, nil
}
