package nxspack

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"nexus/libupdates/digest"
	"nexus/libupdates/durable"
)

// An output is the file of a set that is being written. Whole blocks are written with direct I/O: that takes a fraction
// of the CPU time, and leaves little to write back when the file is synced. Ends of payloads that do not fill a block
// go through the page cache. No block is written both ways.
type output struct {
	cached blockFile
	direct blockFile // the same file; nil if the file system does not support direct I/O
}

// A blockFile is an open file for writing at offsets.
type blockFile interface {
	io.WriterAt
	io.Closer
}

// newOutput reserves space for size bytes, so that a full disk is found before anything is written.
func newOutput(f *os.File, size int64) (*output, error) {
	if err := durable.Reserve(f, size); err != nil {
		return nil, err
	}
	o := &output{cached: f}
	direct, err := openDirect(f.Name())
	if err != nil {
		return o, nil
	}
	if !sameFile(f, direct) {
		direct.Close()
		return nil, errors.New("it was replaced while being written")
	}
	o.direct = direct
	return o, nil
}

// WriteAt writes p at off. If p and off are aligned alike, modulo digest.BlockSize, whole blocks are written with
// direct I/O.
func (o *output) WriteAt(p []byte, off int64) (int, error) {
	head := min(-off&(digest.BlockSize-1), int64(len(p)))
	body := (int64(len(p)) - head) &^ (digest.BlockSize - 1)
	if o.direct == nil || body == 0 {
		return o.cached.WriteAt(p, off)
	}
	if n, err := o.cached.WriteAt(p[:head], off); err != nil {
		return n, err
	}
	done, err := o.direct.WriteAt(p[head:head+body], off+head)
	if err != nil && !errors.Is(err, syscall.EINVAL) { // EINVAL: not supported for this file system, disk or piece
		return int(head) + done, err
	}
	from := head + int64(done)
	n, err := o.cached.WriteAt(p[from:], off+from)
	return int(from) + n, err
}

// Close closes the file that is used for direct I/O. The caller of newOutput closes the other.
func (o *output) Close() error {
	if o.direct == nil {
		return nil
	}
	return o.direct.Close()
}

func sameFile(a, b *os.File) bool {
	first, err := a.Stat()
	if err != nil {
		return false
	}
	second, err := b.Stat()
	return err == nil && os.SameFile(first, second)
}

// temporaryPattern is the name of incomplete output. Messages never show it: the same failure always gives the same
// text, with the name that the user gave.
const temporaryPattern = ".nxs-pack-*"

// notMade returns the error for a temporary file or folder that could not be created next to the target.
func notMade(target string, err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return &fs.PathError{Op: "create", Path: target, Err: err}
}

// readdressed replaces the temporary's name by the target's in a file error. Other errors stay as they are.
func readdressed(err error, temporary, target string) error {
	if link, ok := errors.AsType[*os.LinkError](err); ok && link.Old == temporary {
		return &fs.PathError{Op: link.Op, Path: target, Err: link.Err}
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		if inside, ok := strings.CutPrefix(path.Path, temporary); ok {
			return &fs.PathError{Op: path.Op, Path: target + inside, Err: path.Err}
		}
	}
	return err
}
