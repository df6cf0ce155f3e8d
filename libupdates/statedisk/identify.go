package statedisk

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"nexus/libupdates/refusal"
)

// A Kind is what a disk that may be used is.
type Kind uint8

const (
	New   Kind = iota // nothing is on it, or half of what Prepare writes
	Ours              // a file system of ours, in order as far as its superblock goes
	Noted             // ours, and the kernel has met damage in it before
)

// Identify tells what a disk of that many bytes is, without changing anything. Refused as ForeignState where it holds
// something else, and as StateDamaged where it is ours and its superblock is damaged.
func Identify(disk io.ReaderAt, size int64) (Kind, error) {
	if size < MinSize {
		return 0, fmt.Errorf("it has %d bytes, and %d are needed", size, int64(MinSize))
	}
	super, err := readSuperblock(disk, superOffset)
	switch {
	case err != nil:
		return 0, fmt.Errorf("cannot read it: %w", err)
	case super.isOurs() && super.intact() && super.noted():
		return Noted, nil
	case super.isOurs() && super.intact():
		return Ours, nil
	}
	switch stranger, err := findStranger(disk, size); {
	case err != nil:
		return 0, fmt.Errorf("cannot read it: %w", err)
	case stranger < 0:
		return New, nil
	default:
		return 0, explain(disk, size, super, stranger)
	}
}

// explain says why a disk that holds something at an offset cannot be used.
func explain(disk io.ReaderAt, size int64, super superblock, stranger int64) error {
	if super.isOurs() {
		return refusal.New(refusal.StateDamaged, "its superblock is damaged: the checksum does not match")
	}
	if size >= superCopy+superSize {
		if second, err := readSuperblock(disk, superCopy); err == nil && second.isOurs() && second.intact() {
			return refusal.New(refusal.StateDamaged, "its superblock is damaged; the copy in block %d is intact",
				superCopy/BlockSize)
		}
	}
	if super.hasMagic() {
		return refusal.New(refusal.ForeignState, "it holds a file system of the ext family named %q, which is not ours",
			super.label())
	}
	return refusal.New(refusal.ForeignState, "it holds something at byte %d, which is not ours", stranger)
}

const (
	sector = 512     // what a disk writes whole or not at all
	tail   = 1 << 20 // where partition tables, RAIDs and other file systems have their second copy: the end of a disk
	chunk  = 64 << 10
)

// findStranger returns the offset of the first sector that neither an unused disk nor a half-done Prepare has there, -1
// for none. All of where the template goes is looked at, and the disk's end.
func findStranger(disk io.ReaderAt, size int64) (int64, error) {
	found, got := int64(-1), make([]byte, BlockSize)
	err := eachBlock(func(offset int64, want []byte) error {
		if _, err := disk.ReadAt(got, offset); err != nil {
			return err
		}
		for at := 0; at < BlockSize; at += sector {
			if s := got[at : at+sector]; !isZero(s) && !bytes.Equal(s, want[at:at+sector]) {
				found = offset + int64(at)
				return errFound
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errFound) {
		return 0, err
	}
	if found >= 0 {
		return found, nil
	}
	return findContent(disk, max(MinSize, size-tail), size)
}

// errFound ends a search.
var errFound = errors.New("found")

// findContent returns the offset of the first sector from begin to end that is not zero, -1 for none.
func findContent(disk io.ReaderAt, begin, end int64) (int64, error) {
	buffer := make([]byte, chunk)
	for offset := begin; offset < end; offset += chunk {
		part := buffer[:min(chunk, end-offset)]
		if _, err := disk.ReadAt(part, offset); err != nil {
			return 0, err
		}
		for at := 0; at < len(part); at += sector {
			if !isZero(part[at:min(at+sector, len(part))]) {
				return offset + int64(at), nil
			}
		}
	}
	return -1, nil
}
