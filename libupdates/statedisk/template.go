package statedisk

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"io"
)

// Label is the volume label of our file systems.
const Label = "nexus-state"

// MinSize is the minimum size of a disk and the size of the template, in bytes.
const MinSize = 16 << 20

// BlockSize is the block size of the file system, in bytes.
const BlockSize = 4096

// template is the file system that a new disk began with in the first versions, as mke2fs made it (TestTemplate has its
// options), compressed. It must never change: a disk that was half done by one version is finished by the next. The
// disks of this version differ in the block of the superblock alone (firstBlock).
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

// firstBlock returns the first block of a new disk, which has the superblock: that of the template, with the feature
// fs-verity. Nothing else of a file system depends on the feature.
func firstBlock(template []byte) []byte {
	block := bytes.Clone(template)
	super := superblock(block[superOffset : superOffset+superSize])
	features := binary.LittleEndian.Uint32(super[offsetReadOnly:]) | featureVerity
	binary.LittleEndian.PutUint32(super[offsetReadOnly:], features)
	binary.LittleEndian.PutUint32(super[offsetChecksum:], super.checksum())
	return block
}

// isZero reports whether all bytes are zero. raw is at most one block.
func isZero(raw []byte) bool {
	var zeros [BlockSize]byte
	return bytes.Equal(raw, zeros[:len(raw)])
}
