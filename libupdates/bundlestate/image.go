package bundlestate

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"errors"
	"io"
)

// An image is a file with an ext4 file system, for one generation. Every image has the same size, whatever the quota:
// almost all of it is a hole, and who mounts it takes up what is beyond the quota. So a quota can change, and an image
// is copied like any other file.
const (
	ImageSize  = 17 << 30 // bytes; MaxState, and what the file system needs for itself
	ImageBlock = 4096     // bytes
)

// imageBlocks are the blocks of a new image that are not zero, as mke2fs made it (TestImage has its options): for each
// its number, a little-endian uint32, and its bytes, all compressed.
//
//go:embed image.ext4.gz
var imageBlocks []byte

// WriteImage writes an empty file system to a file that is a hole of ImageSize.
func WriteImage(w io.WriterAt) error {
	plain, err := gzip.NewReader(bytes.NewReader(imageBlocks))
	if err != nil {
		return err
	}
	for {
		var numbered [4 + ImageBlock]byte
		if _, err := io.ReadFull(plain, numbered[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		number := binary.LittleEndian.Uint32(numbered[:])
		if _, err := w.WriteAt(numbered[4:], int64(number)*ImageBlock); err != nil {
			return err
		}
	}
}
