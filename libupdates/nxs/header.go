package nxs

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"nexus/libupdates/refusal"
)

// blockSize is the unit of a ustar archive (POSIX.1-2017, pax, "ustar Interchange Format").
const blockSize = 512

// The kinds of entry a set may hold.
const (
	typeFile = '0'
	typeDir  = '5'
)

// Fixed modes of entries.
const (
	modeFile = 0o644
	modeDir  = 0o755
)

// A header is one entry's header block.
type header struct {
	name string
	dir  bool
	size int64
}

// A field is a place in a header block.
type field struct{ at, size int }

// The fields of a header block.
var (
	fieldName     = field{0, 100}
	fieldMode     = field{100, 8}
	fieldUID      = field{108, 8}
	fieldGID      = field{116, 8}
	fieldSize     = field{124, 12}
	fieldMtime    = field{136, 12}
	fieldChecksum = field{148, 8}
	fieldType     = field{156, 1}
	fieldLink     = field{157, 100}
	fieldMagic    = field{257, 8} // magic and version together
	fieldUname    = field{265, 32}
	fieldGname    = field{297, 32}
	fieldMajor    = field{329, 8}
	fieldMinor    = field{337, 8}
	fieldRest     = field{345, 167} // prefix and padding
)

// The two forms of magic and version. The second is GNU tar's; some writers of sets put it before entries that use nothing of GNU's.
const (
	magicUstar = "ustar\x0000"
	magicGNU   = "ustar  \x00"
)

// The two forms of a checksum. The second is that of the same writers. No other is taken, so that a header has no bit that may change.
const (
	checksumPOSIX = "%06o\x00 "
	checksumLong  = "%07o\x00"
)

func (f field) of(b []byte) []byte { return b[f.at : f.at+f.size] }

// parseHeader reads a header block. It accepts what the format has and refuses all else: links, devices, extension entries, numbers
// that are not plain octal, owners, times, other modes, bytes where none belong. Refusals: BadArchive, BadEntryType, BadEntryName.
func parseHeader(b *[blockSize]byte) (header, error) {
	block := b[:]
	if magic := string(fieldMagic.of(block)); magic != magicUstar && magic != magicGNU {
		return header{}, refusal.New(refusal.BadArchive, "bad archive: a header is no ustar header")
	}
	if got, sum := string(fieldChecksum.of(block)), checksum(block); got != fmt.Sprintf(checksumPOSIX, sum) && got != fmt.Sprintf(checksumLong, sum) {
		return header{}, refusal.New(refusal.BadArchive, "bad archive: a header's checksum is wrong")
	}
	h := header{}
	switch block[fieldType.at] {
	case typeFile:
	case typeDir:
		h.dir = true
	default:
		return header{}, refusal.New(refusal.BadEntryType, "an entry is of type %q, neither file nor directory", block[fieldType.at])
	}
	var err error
	if h.name, err = entryName(fieldName.of(block)); err != nil {
		return header{}, err
	}
	if h.dir != strings.HasSuffix(h.name, "/") {
		return header{}, refusal.New(refusal.BadEntryType, "%s is a file by its type or by its name, but not by both", h.name)
	}
	var ok bool
	if h.size, ok = octal(fieldSize.of(block)); !ok {
		return header{}, refusal.New(refusal.BadArchive, "bad archive: the size of %s is no plain octal number", h.name)
	}
	return h, h.checkRest(block)
}

// checkRest wants the fixed values in all other fields.
func (h header) checkRest(block []byte) error {
	mode := int64(modeFile)
	if h.dir {
		mode = modeDir
	}
	fixed := []struct {
		what string
		f    field
		want int64
	}{
		{"mode", fieldMode, mode}, {"user id", fieldUID, 0}, {"group id", fieldGID, 0},
		{"time", fieldMtime, 0}, {"device", fieldMajor, 0}, {"device", fieldMinor, 0},
	}
	for _, x := range fixed {
		if got, ok := octal(x.f.of(block)); !ok || got != x.want {
			return refusal.New(refusal.BadArchive, "bad archive: the %s of %s is not %o", x.what, h.name, x.want)
		}
	}
	for _, f := range []field{fieldLink, fieldUname, fieldGname, fieldRest} {
		if !isZero(f.of(block)) {
			return refusal.New(refusal.BadArchive, "bad archive: %s has a link, an owner's name or a long name", h.name)
		}
	}
	if h.dir && h.size != 0 {
		return refusal.New(refusal.BadArchive, "bad archive: directory %s has a size", h.name)
	}
	return nil
}

// entryName reads a name that ends with a NUL, with nothing but NULs after it.
func entryName(b []byte) (string, error) {
	end := bytes.IndexByte(b, 0)
	if end < 0 || !isZero(b[end:]) {
		return "", refusal.New(refusal.BadEntryName, "an entry's name does not end as it should")
	}
	name := string(b[:end])
	if name == "" || strings.HasPrefix(name, "/") || path.Clean(name) != strings.TrimSuffix(name, "/") || strings.Contains(name, "..") {
		return "", refusal.New(refusal.BadEntryName, "an entry has the name %q", name)
	}
	for _, c := range b[:end] {
		if c <= ' ' || c > '~' || c == '\\' {
			return "", refusal.New(refusal.BadEntryName, "an entry has the name %q", name)
		}
	}
	return name, nil
}

// octal reads a number field: octal digits, then NULs and spaces or the field's edge; a field of NULs alone is 0. Base-256, signs and
// leading spaces are no numbers here. Twelve digits fill a size, 64 GiB less one; eleven and a NUL reach 8 GiB less one.
func octal(b []byte) (int64, bool) {
	digits := bytes.TrimRight(b, " \x00")
	var n int64
	for _, c := range digits {
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n<<3 | int64(c-'0')
	}
	return n, len(digits) > 0 || isZero(b)
}

// checksum is the sum of all bytes of the block, those of the checksum field taken as spaces.
func checksum(block []byte) int64 {
	var sum int64
	for i, c := range block {
		if i >= fieldChecksum.at && i < fieldChecksum.at+fieldChecksum.size {
			c = ' '
		}
		sum += int64(c)
	}
	return sum
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
