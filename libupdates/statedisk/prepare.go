package statedisk

import (
	"fmt"
	"io"
)

// A Disk is a disk that is open for writing.
type Disk interface {
	io.ReaderAt
	io.WriterAt
	// Sync returns once everything written so far is durable.
	Sync() error
}

// Prepare returns the kind of a disk of that many bytes, as Identify does. If the disk is New, it makes it ours, with a
// file system of the template's size, which is durable when Prepare returns; after a power cut before that, the disk is
// still New or already Ours. It never writes to any other disk.
func Prepare(disk Disk, size int64) (Kind, error) {
	kind, err := Identify(disk, size)
	if err != nil || kind != New {
		return kind, err
	}
	if err := write(disk); err != nil {
		return kind, fmt.Errorf("cannot make file system: %w", err)
	}
	return kind, nil
}

// write copies the nonzero blocks of the template; the rest of the disk is zero already. It writes the block with the
// superblock last, after all others are durable.
func write(disk Disk) error {
	var first []byte
	err := eachBlock(func(offset int64, block []byte) (err error) {
		switch {
		case offset == 0:
			first = firstBlock(block)
		case !isZero(block):
			_, err = disk.WriteAt(block, offset)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := disk.Sync(); err != nil {
		return err
	}
	if _, err := disk.WriteAt(first, 0); err != nil {
		return err
	}
	return disk.Sync()
}
