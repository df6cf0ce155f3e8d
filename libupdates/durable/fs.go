package durable

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"

	"nexus/libupdates/refusal"
)

// ErrKind means that a name has another kind than expected: a folder, link or FIFO in place of a file, or a file in
// place of a folder.
var ErrKind = errors.New("of another kind")

// ReadFS is the reading half of FS. Names are slash-separated and relative to the root, as defined by fs.ValidPath; any
// other name is refused as BadPath. Links among the folders of a name are followed, but cannot lead out of the root;
// the last part of a name is never followed. Errors about what has a name match fs.ErrNotExist, fs.ErrPermission or
// ErrKind.
type ReadFS interface {
	// Kind returns the type bits of the mode of what has the name. It follows no link and opens nothing.
	Kind(name string) (fs.FileMode, error)
	// Open opens a regular file for reading. It never blocks, whatever has the name.
	Open(name string) (ReadFile, error)
	// Readlink returns the target of the link.
	Readlink(name string) (string, error)
	// ReadDir returns the names in the directory in byte order.
	ReadDir(name string) ([]string, error)
}

// FS is a rooted file system. A change is not yet durable when its method returns: File.Sync makes the bytes of a file
// durable, SyncDir the entries of a directory. A full disk is the refusal NoSpace; every other failure wraps its cause.
type FS interface {
	ReadFS
	// Mkdir creates a directory. Its parent must exist, the name must not.
	Mkdir(name string) error
	// Create creates a file and opens it for writing. The name must not exist. perm are the permission bits before the
	// umask.
	Create(name string, perm fs.FileMode) (File, error)
	// Reopen opens a regular file for writing, from its beginning. It keeps the bytes that are not written over.
	Reopen(name string) (File, error)
	// Rename renames from to the name to in one step. It replaces a file or link that has the new name.
	Rename(from, to string) error
	// Symlink creates a link with a relative target. The name must not exist.
	Symlink(target, name string) error
	// Link gives the file a second name, which must not exist.
	Link(from, to string) error
	// Remove removes a file, a link or an empty directory.
	Remove(name string) error
	// RemoveAll removes whatever has the name and everything below it, in many steps. It is not an error if the name
	// does not exist.
	RemoveAll(name string) error
	// SyncDir makes the entries of the directory durable.
	SyncDir(name string) error
	// EnableVerity has the kernel verify every later read of the file against the fs-verity digest of its bytes, which
	// nobody can change any more. That is durable when EnableVerity returns. A file that has it keeps it. It fails with
	// ErrNoVerity where the file system has no fs-verity.
	EnableVerity(name string) error
}

// ReadFile is an open regular file.
type ReadFile interface {
	io.Reader
	io.ReaderAt
	io.Closer
	// Size returns the size in bytes at the time of opening.
	Size() int64
	// Verity returns the fs-verity digest by which the kernel verifies every read; zero if it does so by one of another
	// kind. It fails with ErrPlain if the kernel does not, and with ErrNoVerity if it could not.
	Verity() ([sha256.Size]byte, error)
}

// File is a file open for writing, either sequentially with Write or at offsets with WriteAt, but not both.
type File interface {
	io.Writer
	// WriteAt may be called concurrently for pieces that do not overlap.
	io.WriterAt
	// Allocate reserves space for the first size bytes and makes the file that long, so that writing them cannot fail
	// for lack of space. If the file system does not support it, it does nothing.
	Allocate(size int64) error
	// Reserve is Allocate, but leaves the file as long as it is.
	Reserve(size int64) error
	// Sync makes the bytes written so far durable, but not the file's name (see SyncDir).
	Sync() error
	// Close closes the file. It makes nothing durable.
	Close() error
}

// CheckName refuses a name that is not relative, clean and inside the root.
func CheckName(name string) error {
	if !fs.ValidPath(name) {
		return refusal.New(refusal.BadPath, "cannot use the name %q: not a clean relative path", name)
	}
	return nil
}
