package qemu

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"nexus/daemons/initd/machine"
)

// A Disk is a machine's state disk: a raw image in a file on this host.
type Disk struct {
	File  string // empty: the machine has no disk
	Cache string // QEMU's cache mode; empty: writeback
	Log   string // a file that records all writes and flushes, in the format of the kernel's dm-log-writes; empty: none
}

// DefaultDiskSize is the size of a new disk, in bytes.
const DefaultDiskSize = 512 << 20

// MakeDisk makes a blank sparse disk of size bytes, unless the file exists.
func MakeDisk(file string, size int64) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		err = errors.Join(f.Truncate(size), f.Close())
	}
	if err != nil {
		return fmt.Errorf("cannot make disk: %w", err)
	}
	return nil
}

// args returns QEMU's arguments for the disk. Blocks that the guest discards or fills with zeros take no space in the
// file.
func (d Disk) args() []string {
	if d.File == "" {
		return nil
	}
	cache := d.Cache
	if cache == "" {
		cache = "writeback"
	}
	drive := fmt.Sprintf("if=none,id=state,cache=%s,discard=unmap,detect-zeroes=unmap,", value(cache))
	if d.Log == "" {
		drive += "format=raw,file=" + value(d.File)
	} else {
		drive += "driver=blklogwrites,log-sector-size=512,log-super-update-interval=1," +
			"file.driver=raw,file.file.driver=file,file.file.filename=" + value(d.File) +
			",log.driver=raw,log.file.driver=file,log.file.filename=" + value(d.Log)
	}
	return []string{"-drive", drive, "-device", "virtio-blk-pci,drive=state,serial=" + machine.GuestDisk}
}
