package plat

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// OpenPort opens the virtio-serial port of that name (virtio 1.2, 5.3.6.2: a port has a name that the host gave it).
// The error is os.ErrNotExist while the machine has none. A port can be open once.
func OpenPort(name string) (*os.File, error) {
	names, err := filepath.Glob("/sys/class/virtio-ports/*/name")
	if err != nil {
		return nil, err
	}
	for _, path := range names {
		text, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(text)) != name {
			continue
		}
		device := filepath.Join("/dev", filepath.Base(filepath.Dir(path)))
		fd, err := unix.Open(device, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("cannot open port %s: %w", name, err)
		}
		return os.NewFile(uintptr(fd), device), nil // not blocking: reads and writes have deadlines
	}
	return nil, fmt.Errorf("cannot open port %s: %w", name, os.ErrNotExist)
}
