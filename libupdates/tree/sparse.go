package tree

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// block is the unit of holes, in bytes: blocks of zeros are not stored.
const block = 64 << 10

// maxExtents bounds the pieces of a file beside which there are holes. What follows the last of them is stored whole.
const maxExtents = 1024

// An extent is a piece of a file that is stored.
type extent struct{ at, size int64 }

// scan reads to the end and passes on all blocks but those of zeros. The buffer holds whole blocks.
func scan(r io.Reader, buffer []byte, use func(p []byte, at int64) error) error {
	for at := int64(0); ; at += int64(len(buffer)) {
		n, err := io.ReadFull(r, buffer)
		for from := 0; from < n; from += block {
			if piece := buffer[from:min(from+block, n)]; !isZero(piece) {
				if err := use(piece, at+int64(from)); err != nil {
					return err
				}
			}
		}
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// isZero compares with itself, shifted by one, which takes the CPU's widest registers.
func isZero(p []byte) bool { return p[0] == 0 && bytes.Equal(p[1:], p[:len(p)-1]) }

// extentsOf returns what is to be stored of a file of that size.
func extentsOf(r io.Reader, size int64, buffer []byte) (all []extent, err error) {
	err = scan(r, buffer, func(p []byte, at int64) error {
		last := len(all) - 1
		if last >= 0 && (all[last].at+all[last].size == at || len(all) == maxExtents) {
			all[last].size = at + int64(len(p)) - all[last].at
		} else {
			all = append(all, extent{at, int64(len(p))})
		}
		return nil
	})
	if len(all) == 0 || all[len(all)-1].at+all[len(all)-1].size < size {
		all = append(all, extent{size, 0}) // as GNU tar ends the list of a file that ends with a hole
	}
	return all, err
}

// hasHoles reports whether anything of a file is not stored.
func hasHoles(all []extent, size int64) bool { return len(all) != 1 || all[0] != extent{0, size} }

// sparseHeader returns what precedes the stored pieces of a file with holes, and how many bytes follow it in all but
// for the padding. The standard library reads such files and does not write them.
func sparseHeader(h tar.Header, extents []extent) (header []byte, stored int64, err error) {
	list := fmt.Appendln(nil, len(extents))
	for _, e := range extents {
		list = fmt.Appendf(list, "%d\n%d\n", e.at, e.size)
		stored += e.size
	}
	list = padded(list)
	size := int64(len(list)) + stored
	var records []byte
	for _, r := range [][2]string{
		{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.name", h.Name},
		{"GNU.sparse.realsize", fmt.Sprint(h.Size)}, {"size", fmt.Sprint(size)},
	} {
		records = append(records, record(r[0], r[1])...)
	}
	extended, err := headerBlock("sparse/pax", 0o644, int64(len(records)), tar.TypeXHeader)
	if err != nil {
		return nil, 0, err
	}
	file, err := headerBlock("sparse/file", h.Mode, min(size, maxUstarSize), tar.TypeReg)
	if err != nil {
		return nil, 0, err
	}
	return bytes.Join([][]byte{extended, padded(records), file, list}, nil), stored, nil
}

// Of the format ustar.
const (
	tarBlock     = 512
	maxUstarSize = 1<<33 - 1 // beyond that, the record `size` counts
	typeAt       = 156
	sumAt        = 148
	sumSize      = 8
)

// padded fills up the last block.
func padded(p []byte) []byte { return append(p, make([]byte, -len(p)&(tarBlock-1))...) }

// record is a record of an extended header: its length, which counts its own digits, key and value.
func record(key, value string) []byte {
	rest := fmt.Sprintf(" %s=%s\n", key, value)
	size := len(rest)
	for size != len(rest)+len(fmt.Sprint(size)) {
		size = len(rest) + len(fmt.Sprint(size))
	}
	return fmt.Appendf(nil, "%d%s", size, rest)
}

// headerBlock is a header of a type that the standard library may not be told to write.
func headerBlock(name string, mode, size int64, kind byte) ([]byte, error) {
	var b bytes.Buffer
	h := tar.Header{Name: name, Mode: mode, Size: size, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
	if err := tar.NewWriter(&b).WriteHeader(&h); err != nil {
		return nil, err
	}
	header := b.Bytes()
	header[typeAt] = kind
	copy(header[sumAt:], bytes.Repeat([]byte(" "), sumSize))
	sum := 0
	for _, c := range header {
		sum += int(c)
	}
	copy(header[sumAt:], fmt.Sprintf("%06o\x00 ", sum))
	return header, nil
}
