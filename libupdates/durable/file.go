package durable

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

// Direct I/O, in bytes. A block is a multiple of every disk's block that is in use; a piece smaller than leastDirect is not worth a wait for
// the disk.
const (
	directBlock = 4 << 10
	leastDirect = 64 << 10
)

// An osFile is a file of the real file system. Large pieces that lie in whole blocks, in memory and in the file, go to the disk directly,
// past the page cache: that spares a copy and the memory that the cache would take. All else goes through the cache.
type osFile struct {
	f        *os.File
	name     string
	at       int64 // where the next byte goes
	direct   bool
	indirect bool // the file system has no direct I/O
}

func (f *osFile) Write(p []byte) (int, error) {
	if err := f.goDirect(!f.indirect && f.aligned(p)); err != nil {
		return 0, failed("write", f.name, err)
	}
	n, err := f.f.Write(p)
	if f.direct && errors.Is(err, syscall.EINVAL) { // this disk has larger blocks, or it took a part: the rest goes through the cache
		f.indirect = true
		if err = f.goDirect(false); err == nil {
			var more int
			more, err = f.f.Write(p[n:])
			n += more
		}
	}
	f.at += int64(n)
	return n, failed("write", f.name, err)
}

// goDirect chooses the way for what is written next. Where there is no direct way, that is no error.
func (f *osFile) goDirect(direct bool) error {
	if direct == f.direct {
		return nil
	}
	err := setDirect(f.f, direct)
	switch {
	case err == nil:
		f.direct = direct
	case direct:
		f.indirect, err = true, nil
	}
	return err
}

func (f *osFile) aligned(p []byte) bool {
	return len(p) >= leastDirect && len(p)%directBlock == 0 && f.at%directBlock == 0 && uintptr(unsafe.Pointer(&p[0]))%directBlock == 0
}

func (f *osFile) Allocate(size int64) error {
	if size <= 0 {
		return nil
	}
	return failed("reserve space for", f.name, allocate(f.f, size))
}

func (f *osFile) Sync() error  { return failed("sync", f.name, f.f.Sync()) }
func (f *osFile) Close() error { return failed("close", f.name, f.f.Close()) }
