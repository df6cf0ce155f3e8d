package statedisk

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
)

// Label is the volume label of our file systems.
const Label = "nexus-state"

// MinSize is the minimum size of a disk and the size of the template, in bytes.
const MinSize = 16 << 20

// BlockSize is the block size of the file system, in bytes.
const BlockSize = 4096

// template is the file system that a new disk begins with, as mke2fs made it (TestTemplate has its options),
// compressed. It must never change: a disk that was half done by one version is finished by the next.
//
//go:embed template.ext4.gz
var template []byte

// eachBlock calls f for each block of the template, in order. f must not keep the block.
func eachBlock(f func(offset int64, block []byte) error) error {
	plain, err := gzip.NewReader(bytes.NewReader(template))
	if err != nil {
		return err
	}
	block := make([]byte, BlockSize)
	for offset := int64(0); offset < MinSize; offset += BlockSize {
		if _, err := io.ReadFull(plain, block); err != nil {
			return err
		}
		if err := f(offset, block); err != nil {
			return err
		}
	}
	return nil
}

// isZero reports whether all bytes are zero. raw is at most one block.
func isZero(raw []byte) bool {
	var zeros [BlockSize]byte
	return bytes.Equal(raw, zeros[:len(raw)])
}
