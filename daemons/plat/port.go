package plat

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// OpenPort opens the virtio-serial port with that name, which the host gave it (virtio 1.2, 5.3.6.2). The error is
// os.ErrNotExist as long as there is none. A port can be open only once.
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
		return os.NewFile(uintptr(fd), device), nil // non-blocking, so that deadlines work
	}
	return nil, fmt.Errorf("cannot open port %s: %w", name, os.ErrNotExist)
}
