package durable

import (
	"errors"
	"io"
	"io/fs"

	"nexus/libupdates/refusal"
)

// ErrKind says that a name stands for another kind of thing: a folder, a link, a FIFO in place of a file, a file in
// place of a folder.
var ErrKind = errors.New("of another kind")

// ReadFS is the looking half of FS. Names are slash-separated and relative to the root, as fs.ValidPath says; any other
// name is refused as BadPath. Links among the folders of a name are followed, and no link leads out of the root; a
// name's last part is never followed. An error says by fs.ErrNotExist, fs.ErrPermission or ErrKind that it is about
// what is there.
type ReadFS interface {
	// Kind says what has the name: the type bits of its mode. A link is not followed and nothing is opened.
	Kind(name string) (fs.FileMode, error)
	// Open opens a regular file for reading; it never waits, whatever the name turns out to be.
	Open(name string) (ReadFile, error)
	// Readlink returns the target of the link.
	Readlink(name string) (string, error)
	// ReadDir returns the names in the directory, in byte order.
	ReadDir(name string) ([]string, error)
}

// FS is a rooted file system. A change is not durable when its method returns: File.Sync makes the bytes of a file
// durable, SyncDir the entries of a directory. A full disk is the refusal NoSpace; every other failure wraps its cause.
type FS interface {
	ReadFS
	// Mkdir makes a directory; its parent must be there and the name must not.
	Mkdir(name string) error
	// Create makes a file that is not there yet and opens it for writing. perm are its permission bits before the
	// umask.
	Create(name string, perm fs.FileMode) (File, error)
	// Rename moves from to the name to in one step; a file or link that has that name is replaced.
	Rename(from, to string) error
	// Symlink makes a link with that relative target; the name must not be there.
	Symlink(target, name string) error
	// Link gives the file a second name, which must not be there.
	Link(from, to string) error
	// Remove removes a file, a link or an empty directory.
	Remove(name string) error
	// RemoveAll removes whatever has the name and all below it, in many steps; that nothing has it is fine.
	RemoveAll(name string) error
	// SyncDir makes the entries of the directory durable.
	SyncDir(name string) error
}

// ReadFile is an open regular file.
type ReadFile interface {
	io.Reader
	io.ReaderAt
	io.Closer
	// Size returns the size in bytes at the time of opening.
	Size() int64
}

// File is a file being written: from its beginning on by Write, or each piece to its place by WriteAt, not both.
type File interface {
	io.Writer
	// WriteAt may be called by several at a time, for pieces that do not overlap.
	io.WriterAt
	// Allocate reserves space for the first size bytes and makes the file that long, so that writing them cannot fail
	// for want of space. Where the file system has no such thing it does nothing.
	Allocate(size int64) error
	// Sync makes the bytes written so far durable, but not the file's name: see SyncDir.
	Sync() error
	// Close ends the writing; it makes nothing durable.
	Close() error
}

// CheckName refuses a name that is not relative, clean and inside the root.
func CheckName(name string) error {
	if !fs.ValidPath(name) {
		return refusal.New(refusal.BadPath, "cannot use the name %q: not a clean relative path", name)
	}
	return nil
}
