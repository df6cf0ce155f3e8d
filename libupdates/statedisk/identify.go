package statedisk

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"nexus/libupdates/refusal"
)

// A Kind is the state of a usable disk.
type Kind uint8

const (
	New   Kind = iota // empty, or partly written by Prepare
	Ours              // our file system, with an intact superblock
	Noted             // ours, but the kernel has found damage in it
)

// Identify returns the kind of a disk of that many bytes without changing it. Refused as ForeignState if it holds
// something else, and as StateDamaged if it is ours but its superblock is damaged.
func Identify(disk io.ReaderAt, size int64) (Kind, error) {
	if size < MinSize {
		return 0, fmt.Errorf("it has %d bytes, want at least %d", size, int64(MinSize))
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

// explain returns the refusal for a disk with foreign data at the offset stranger.
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
	sector = 512     // written completely or not at all
	tail   = 1 << 20 // the end of a disk, where partition tables, RAIDs and other file systems keep a second copy
	chunk  = 64 << 10
)

// findStranger returns the offset of the first sector that is neither unused nor written by an incomplete Prepare, of
// this version or an earlier one, or -1. It checks the whole range of the template and the end of the disk.
func findStranger(disk io.ReaderAt, size int64) (int64, error) {
	found, got := int64(-1), make([]byte, BlockSize)
	err := eachBlock(func(offset int64, want []byte) error {
		if _, err := disk.ReadAt(got, offset); err != nil {
			return err
		}
		newer := want
		if offset == 0 {
			newer = firstBlock(want)
		}
		for at := 0; at < BlockSize; at += sector {
			s := got[at : at+sector]
			if !isZero(s) && !bytes.Equal(s, want[at:at+sector]) && !bytes.Equal(s, newer[at:at+sector]) {
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

// findContent returns the offset of the first nonzero sector from begin to end, or -1.
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
