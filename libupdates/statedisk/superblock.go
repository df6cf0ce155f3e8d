package statedisk

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// Layout of an ext4 superblock (Documentation/filesystems/ext4/super.rst in the kernel). The second block group begins
// with a copy.
const (
	superOffset = 1024
	superSize   = 1024
	superCopy   = 32768 * BlockSize

	offsetMagic    = 0x38  // le16
	offsetState    = 0x3a  // le16, flags
	offsetReadOnly = 0x64  // le32, features without which a kernel only reads
	offsetLabel    = 0x78  // 16 bytes, padded with zeros
	offsetChecksum = 0x3fc // le32, CRC-32C of all preceding bytes, without the final inversion

	superMagic = 0xef53
	stateError = 2 // the kernel has found damage

	featureVerity = 0x8000
)

// A superblock is a raw ext4 superblock. It is untrusted; use only its methods.
type superblock []byte

// readSuperblock reads the superblock at an offset of the disk.
func readSuperblock(disk io.ReaderAt, offset int64) (superblock, error) {
	raw := make([]byte, superSize)
	_, err := disk.ReadAt(raw, offset)
	return raw, err
}

func (s superblock) hasMagic() bool { return s.half(offsetMagic) == superMagic }

// intact reports whether the checksum matches. A superblock without checksums is not intact.
func (s superblock) intact() bool {
	return s.hasMagic() && s.checksum() == binary.LittleEndian.Uint32(s[offsetChecksum:])
}

func (s superblock) checksum() uint32 {
	return ^crc32.Checksum(s[:offsetChecksum], crc32.MakeTable(crc32.Castagnoli))
}

func (s superblock) label() string {
	return string(bytes.TrimRight(s[offsetLabel:offsetLabel+16], "\x00"))
}

// isOurs reports whether the superblock has our label, intact or not.
func (s superblock) isOurs() bool { return s.hasMagic() && s.label() == Label }

// noted reports whether the kernel has found damage in the file system that nobody has repaired since.
func (s superblock) noted() bool { return s.half(offsetState)&stateError != 0 }

func (s superblock) half(offset int) uint16 { return binary.LittleEndian.Uint16(s[offset:]) }
