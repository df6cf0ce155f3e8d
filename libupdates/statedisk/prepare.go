package statedisk

import (
	"bytes"
	"fmt"
	"io"
)

// A Disk is one that is open for writing.
type Disk interface {
	io.ReaderAt
	io.WriterAt
	// Sync returns once all that was written is durable.
	Sync() error
}

// Prepare tells what a disk of that many bytes is, as Identify does, and makes it ours where it is New: it then is a
// file system of the template's size. That is durable when it returns; a cut before leaves a disk that is still New, or
// Ours. To any other disk nothing is written.
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

// write copies the template: all that is not zero, for the rest of the disk is, and the block with the superblock only
// once all others are durable.
func write(disk Disk) error {
	var first []byte
	err := eachBlock(func(offset int64, block []byte) (err error) {
		switch {
		case offset == 0:
			first = bytes.Clone(block)
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
