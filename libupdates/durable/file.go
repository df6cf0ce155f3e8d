package durable

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// Parameters of direct I/O, in bytes. A block is a multiple of the block size of every disk in use. Pieces smaller than
// leastDirect are not worth waiting for the disk.
const (
	directBlock = 4 << 10
	leastDirect = 64 << 10
)

// An osFile is a file of the real file system. Large pieces that are block-aligned, in memory and in the file, are
// written with direct I/O. This saves a copy, and the memory that the page cache would use. Everything else goes
// through the cache.
type osFile struct {
	f    *os.File
	name string
	at   int64 // offset of the next Write

	mu       sync.Mutex // protects direct and indirect only; a piece may be written either way
	direct   bool       // direct I/O is on
	indirect bool       // direct I/O is not supported by the file system or this disk
}

func (f *osFile) Write(p []byte) (int, error) {
	n, err := f.WriteAt(p, f.at)
	f.at += int64(n)
	return n, err
}

func (f *osFile) WriteAt(p []byte, off int64) (int, error) {
	direct, err := f.choose(aligned(p, off))
	if err != nil {
		return 0, failed("write", f.name, err)
	}
	write := WriteCached
	if direct {
		write = (*os.File).WriteAt
	}
	n, err := write(f.f, p, off)
	// larger disk blocks, or a partial write: the rest goes through the cache
	if errors.Is(err, syscall.EINVAL) {
		if err = f.giveUpDirect(); err == nil {
			var more int
			more, err = WriteCached(f.f, p[n:], off+int64(n))
			n += more
		}
	}
	return n, failed("write", f.name, err)
}

// mostCached is how much is written at a time through the cache, in bytes. Before each page that it copies into tmpfs,
// Linux 6.12 touches all that is left of the write, up to 2 MiB, so that a larger write costs more than several.
const mostCached = 64 << 10

// WriteCached writes through the page cache.
func WriteCached(f *os.File, p []byte, off int64) (n int, err error) {
	for err == nil && n < len(p) {
		var more int
		more, err = f.WriteAt(p[n:min(n+mostCached, len(p))], off+int64(n))
		n += more
	}
	return n, err
}

// choose switches direct I/O on or off for the next write, and returns what it is. It is not an error if direct I/O is
// not supported.
func (f *osFile) choose(direct bool) (on bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	direct = direct && !f.indirect
	if direct == f.direct {
		return direct, nil
	}
	err = setDirect(f.f, direct)
	switch {
	case err == nil:
		f.direct = direct
	case direct:
		f.indirect, err = true, nil
	}
	return f.direct, err
}

func (f *osFile) giveUpDirect() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.indirect, f.direct = true, false
	return setDirect(f.f, false)
}

func aligned(p []byte, off int64) bool {
	return len(p) >= leastDirect && len(p)%directBlock == 0 && off%directBlock == 0 &&
		uintptr(unsafe.Pointer(&p[0]))%directBlock == 0
}

func (f *osFile) Allocate(size int64) error {
	if size <= 0 {
		return nil
	}
	return failed("reserve space for", f.name, allocate(f.f, size, longer))
}

func (f *osFile) Reserve(size int64) error {
	if size <= 0 {
		return nil
	}
	return failed("reserve space for", f.name, allocate(f.f, size, asLong))
}

func (f *osFile) Sync() error  { return failed("sync", f.name, f.f.Sync()) }
func (f *osFile) Close() error { return failed("close", f.name, f.f.Close()) }
