package demo

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
)

// damage copies a set and flips the first bit of one of its entries.
func damage(from, to, entry string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	at, err := contentOf(raw, entry)
	if err != nil {
		return fmt.Errorf("cannot damage %s: %w", from, err)
	}
	raw[at] ^= 1
	return os.WriteFile(to, raw, 0o644)
}

// contentOf returns the offset of an entry's content.
func contentOf(archive []byte, entry string) (int64, error) {
	in := bytes.NewReader(archive)
	headers := tar.NewReader(in)
	for {
		h, err := headers.Next()
		if err != nil {
			return 0, fmt.Errorf("no entry %s: %w", entry, err)
		}
		if h.Name == entry && h.Size > 0 {
			return in.Seek(0, io.SeekCurrent)
		}
	}
}
