package nxspack

import (
	"errors"
	"io"
	"os"
	"syscall"

	"nexus/libupdates/digest"
	"nexus/libupdates/durable"
)

// An output is the file of a set that is being made. Whole blocks go to the disk directly, past the page cache: that
// costs a fraction of the CPU time, and nothing is left to be written when the file is synced at last. The ends of
// payloads, which fill no block, go through the cache; the two never touch the same block.
type output struct {
	cached blockFile
	direct blockFile // the same file; nil where the file system has no direct I/O
}

// A blockFile is an open file that is written by offset.
type blockFile interface {
	io.WriterAt
	io.Closer
}

// newOutput reserves space for size bytes, so that a disk that is too full is known before anything is written.
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
		return nil, errors.New("it was replaced while it was written")
	}
	o.direct = direct
	return o, nil
}

// WriteAt writes p at off. Where p lies in memory as it does in the file, modulo digest.BlockSize, its whole blocks go
// directly.
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
	if err != nil && !errors.Is(err, syscall.EINVAL) { // EINVAL: not for this file system, this disk, or this piece
		return int(head) + done, err
	}
	from := head + int64(done)
	n, err := o.cached.WriteAt(p[from:], off+from)
	return int(from) + n, err
}

// Close ends the direct way. The file is its opener's to close.
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
