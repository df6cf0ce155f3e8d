package statefs

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"

	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
)

// Layout of a value's file: a header of 48 bytes (magic, little-endian length of the value, SHA-256 of these two, the
// value's full name and the value), then the value. The full name is `<prefix>/<key>`. It is not stored in the file, so
// a file that was moved is damaged in its new place.
const (
	valueMagic = "nxstate1"
	sumOffset  = 16
	headerSize = sumOffset + sha256.Size
)

func encodeValue(name string, value []byte) []byte {
	raw := make([]byte, headerSize, headerSize+len(value))
	copy(raw, valueMagic)
	binary.LittleEndian.PutUint64(raw[len(valueMagic):], uint64(len(value)))
	sum := sumOf(raw, name, value)
	copy(raw[sumOffset:], sum[:])
	return append(raw, value...)
}

func sumOf(header []byte, name string, value []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(header[:sumOffset])
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(name))))
	io.WriteString(h, name)
	h.Write(value)
	return [sha256.Size]byte(h.Sum(nil))
}

// readValue reads the value of that name from a file, after checking the file's size. Anything wrong with the file is
// StateDamaged, including a read error. It follows no links: a link is not what was stored.
func readValue(fs durable.ReadFS, file, name string) ([]byte, error) {
	kind, err := fs.Kind(file)
	if err != nil {
		return nil, damaged(name, err.Error())
	}
	if kind != 0 {
		return nil, damaged(name, "its file is "+durable.KindName(kind))
	}
	f, err := fs.Open(file)
	if err != nil {
		return nil, damaged(name, err.Error())
	}
	defer f.Close()
	if f.Size() < headerSize || f.Size() > headerSize+MaxValue {
		return nil, damaged(name, "the size of its file is not that of a value")
	}
	raw := make([]byte, f.Size())
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, damaged(name, err.Error())
	}
	header, value := raw[:headerSize], raw[headerSize:]
	if !bytes.HasPrefix(header, []byte(valueMagic)) ||
		binary.LittleEndian.Uint64(header[len(valueMagic):]) != uint64(len(value)) {
		return nil, damaged(name, "its file is not a value")
	}
	if sum := sumOf(header, name, value); !bytes.Equal(sum[:], header[sumOffset:]) {
		return nil, damaged(name, "its checksum does not match")
	}
	return value, nil
}

func damaged(name, why string) error {
	return refusal.New(refusal.StateDamaged, "the value %s is damaged: %s", name, why)
}
