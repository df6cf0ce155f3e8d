package durable

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
)

// Layout of one half of a cell: a header of 64 bytes (magic, generation, length of the value, and the SHA-256 of these
// three and the value; numbers are little-endian), then the value. The second half begins at a multiple of 4 KiB.
const (
	copyMagic  = "nxcell1\n"
	headerSize = 64
	sumOffset  = 32
	halfSize   = MaxCellValue + 4096
)

// MaxCopy is the maximum size of one copy, in bytes. What follows a shorter one is ignored.
const MaxCopy = headerSize + MaxCellValue

// A copyOf is one copy of a cell's value.
type copyOf struct {
	generation uint64 // incremented by each store
	value      []byte
}

// A state is the state of a half.
type state uint8

const (
	damaged state = iota // written, but incomplete or changed
	blank                // never written
	intact               // holds a value
)

func offsetOf(half int) int64 { return int64(half) * halfSize }

func (c copyOf) encode() []byte {
	raw := make([]byte, headerSize, headerSize+len(c.value))
	copy(raw, copyMagic)
	binary.LittleEndian.PutUint64(raw[8:], c.generation)
	binary.LittleEndian.PutUint64(raw[16:], uint64(len(c.value)))
	sum := sumOf(raw, c.value)
	copy(raw[sumOffset:], sum[:])
	return append(raw, c.value...)
}

// sumOf returns the sum over the value and the header before the sum.
func sumOf(header, value []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(header[:sumOffset])
	h.Write(value)
	return [sha256.Size]byte(h.Sum(nil))
}

// readCopy reads one half. It fails only if the file cannot be read; invalid bytes are the state damaged.
func readCopy(f io.ReaderAt, half int) (copyOf, state, error) {
	header := make([]byte, headerSize)
	n, err := readAt(f, header, offsetOf(half))
	if err != nil {
		return copyOf{}, damaged, err
	}
	if bytes.Equal(header, make([]byte, headerSize)) {
		return copyOf{}, blank, nil
	}
	length := binary.LittleEndian.Uint64(header[16:])
	if n < headerSize || string(header[:len(copyMagic)]) != copyMagic || length > MaxCellValue {
		return copyOf{}, damaged, nil
	}
	value := make([]byte, length)
	n, err = readAt(f, value, offsetOf(half)+headerSize)
	if err != nil {
		return copyOf{}, damaged, err
	}
	if sum := sumOf(header, value); n < len(value) || !bytes.Equal(sum[:], header[sumOffset:]) {
		return copyOf{}, damaged, nil
	}
	return copyOf{generation: binary.LittleEndian.Uint64(header[8:]), value: value}, intact, nil
}

// readAt reads len(p) bytes, or fewer at the end of the file.
func readAt(f io.ReaderAt, p []byte, off int64) (int, error) {
	n, err := f.ReadAt(p, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}
