package plat

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A WatchdogDevice is one of the machine's watchdogs, not opened yet.
type WatchdogDevice struct {
	Path string
	Name string // its identity; empty if the kernel does not tell
}

// Watchdogs lists the machine's watchdogs in the kernel's order. Opening the device would arm it, so the identity is
// read from sysfs (Documentation/ABI/testing/sysfs-class-watchdog).
func Watchdogs() ([]WatchdogDevice, error) {
	entries, err := os.ReadDir("/sys/class/watchdog")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list watchdogs: %w", err)
	}
	var found []WatchdogDevice
	for _, entry := range entries {
		identity, _ := os.ReadFile(filepath.Join("/sys/class/watchdog", entry.Name(), "identity"))
		found = append(found, WatchdogDevice{"/dev/" + entry.Name(), strings.TrimSpace(string(identity))})
	}
	slices.SortFunc(found, func(a, b WatchdogDevice) int {
		if len(a.Path) != len(b.Path) { // watchdog10 comes after watchdog9
			return len(a.Path) - len(b.Path)
		}
		return strings.Compare(a.Path, b.Path)
	})
	return found, nil
}

// A Watchdog resets the machine unless it is petted in time (Documentation/watchdog/watchdog-api.rst). It stays armed
// when the process that has it open ends.
type Watchdog struct {
	file    *os.File
	name    string
	timeout time.Duration
	barked  bool
}

// OpenWatchdog opens a watchdog, which arms it. The timeout is rounded up to seconds.
func OpenWatchdog(path string, timeout time.Duration) (*Watchdog, error) {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open watchdog: %w", err)
	}
	return TakeWatchdog(file, timeout)
}

// TakeWatchdog takes over an open watchdog, perhaps from the program that this one replaced. On error the file is
// closed, and the watchdog stays armed.
func TakeWatchdog(file *os.File, timeout time.Duration) (*Watchdog, error) {
	w := &Watchdog{file: file}
	if err := w.set(timeout); err != nil {
		file.Close()
		return nil, fmt.Errorf("cannot set watchdog: %w", err)
	}
	return w, nil
}

func (w *Watchdog) set(timeout time.Duration) error {
	fd := int(w.file.Fd())
	info, err := unix.IoctlGetWatchdogInfo(fd)
	if err != nil {
		return err
	}
	w.name = unix.ByteSliceToString(info.Identity[:])
	seconds := int((timeout + time.Second - 1) / time.Second)
	if err := unix.IoctlSetPointerInt(fd, unix.WDIOC_SETTIMEOUT, seconds); err != nil {
		return err
	}
	if seconds, err = unix.IoctlGetInt(fd, unix.WDIOC_GETTIMEOUT); err != nil {
		return err
	}
	w.timeout = time.Duration(seconds) * time.Second
	if status, err := unix.IoctlGetInt(fd, unix.WDIOC_GETBOOTSTATUS); err == nil { // not every one supports it
		w.barked = status&unix.WDIOF_CARDRESET != 0
	}
	return w.Pet()
}

// Name is its identity.
func (w *Watchdog) Name() string { return w.name }

// Timeout is how long it waits to be petted.
func (w *Watchdog) Timeout() time.Duration { return w.timeout }

// Barked reports whether it says that it caused this boot. Not every watchdog remembers that.
func (w *Watchdog) Barked() bool { return w.barked }

// File is the open device, for the program that will take it over.
func (w *Watchdog) File() *os.File { return w.file }

// Pet restarts its timeout.
func (w *Watchdog) Pet() error {
	if err := unix.IoctlWatchdogKeepalive(int(w.file.Fd())); err != nil {
		return fmt.Errorf("cannot pet watchdog: %w", err)
	}
	return nil
}

// Disarm stops it, if it can be stopped, before an orderly shutdown of the machine.
func (w *Watchdog) Disarm() error {
	_, err := w.file.WriteString("V") // the magic close: without it, closing does not disarm
	if closeErr := w.file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("cannot disarm watchdog: %w", err)
	}
	return nil
}
