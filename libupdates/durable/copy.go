package durable

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
)

// Layout of one half of a cell: a header of 64 bytes (magic, generation, length of the value, SHA-256 of these three
// and the value; numbers little-endian), then the value. The second half begins at a multiple of 4 KiB.
const (
	copyMagic  = "nxcell1\n"
	headerSize = 64
	sumOffset  = 32
	halfSize   = MaxCellValue + 4096
)

// copyOf is one copy of a cell's value.
type copyOf struct {
	generation uint64 // counts up with each store
	value      []byte
}

// state says what a half is.
type state uint8

const (
	damaged state = iota // something was written, but not all of it is there
	blank                // nothing was ever written
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

// sumOf covers the header up to the sum, and the value.
func sumOf(header, value []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(header[:sumOffset])
	h.Write(value)
	return [sha256.Size]byte(h.Sum(nil))
}

// readCopy reads one half. Only a failing file is an error; whatever the bytes are is a state.
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

// readAt fills p as far as the file goes.
func readAt(f io.ReaderAt, p []byte, off int64) (int, error) {
	n, err := f.ReadAt(p, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}
