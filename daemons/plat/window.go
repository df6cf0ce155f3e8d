package plat

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Window is a page of physical memory that the kernel does not use. It survives a reset, but not a loss of power.
type Window struct{ words []uint64 }

// OpenWindow maps the page at a physical address, which must be a multiple of the page size. The kernel refuses memory
// that it uses itself.
func OpenWindow(address uint64) (*Window, error) {
	file, err := os.OpenFile("/dev/mem", os.O_RDWR|os.O_SYNC, 0) // uncached: a reset loses the processor's caches
	if err != nil {
		return nil, fmt.Errorf("cannot open memory: %w", err)
	}
	defer file.Close()
	page, err := unix.Mmap(int(file.Fd()), int64(address), unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("cannot map memory at %#x: %w", address, err)
	}
	return &Window{unsafe.Slice((*uint64)(unsafe.Pointer(&page[0])), len(page)/8)}, nil
}

// Load returns the nth word of the page.
func (w *Window) Load(n int) uint64 { return atomic.LoadUint64(&w.words[n]) }

// Store changes the nth word of the page.
func (w *Window) Store(n int, word uint64) { atomic.StoreUint64(&w.words[n], word) }

// Uptime returns the time since the kernel started.
func Uptime() (time.Duration, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0, fmt.Errorf("cannot tell uptime: %w", err)
	}
	return time.Duration(now.Nano()), nil
}
