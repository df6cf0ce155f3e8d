package nxs

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"nexus/libupdates/refusal"
)

// blockSize is the block size of a ustar archive, in bytes (POSIX.1-2017, pax, "ustar Interchange Format").
const blockSize = 512

// The entry types a set may hold. The second also denotes a regular file (POSIX.1-2017); writers that set no type leave
// it at NUL.
const (
	typeFile    = '0'
	typeOldFile = 0
	typeDir     = '5'
)

// Required modes of entries.
const (
	modeFile = 0o644
	modeDir  = 0o755
)

// A header is a parsed header block.
type header struct {
	name string
	dir  bool
	size int64
}

// A field is a range of a header block, in bytes.
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
	fieldMagic    = field{257, 8} // magic and version
	fieldUname    = field{265, 32}
	fieldGname    = field{297, 32}
	fieldMajor    = field{329, 8}
	fieldMinor    = field{337, 8}
	fieldRest     = field{345, 167} // prefix and padding
)

// The accepted forms of magic and version. The second is GNU tar's; some writers use it even for entries without GNU
// extensions.
const (
	magicUstar = "ustar\x0000"
	magicGNU   = "ustar  \x00"
)

// checksumForms returns the accepted encodings of a checksum: that of POSIX, that of the writers which use magicGNU,
// and the historical order of the first, which npm's writers keep.
func checksumForms() []string { return []string{checksumPOSIX, "%07o\x00", "%06o \x00"} }

const checksumPOSIX = "%06o\x00 "

func (f field) of(b []byte) []byte { return b[f.at : f.at+f.size] }

// parseHeader parses a header block. It accepts only what the format allows. It refuses links, devices, extension
// entries, numbers that are not plain octal, owners, times, other modes, and bytes in unused fields, as BadArchive,
// BadEntryType or BadEntryName.
func parseHeader(b *[blockSize]byte) (header, error) {
	block := b[:]
	if magic := string(fieldMagic.of(block)); magic != magicUstar && magic != magicGNU {
		return header{}, notUstar(block)
	}
	if err := checkChecksum(block); err != nil {
		return header{}, err
	}
	h := header{}
	switch kind := block[fieldType.at]; kind {
	case typeFile, typeOldFile:
	case typeDir:
		h.dir = true
	default:
		return header{}, wrongType(kind)
	}
	var err error
	if h.name, err = entryName(fieldName.of(block)); err != nil {
		return header{}, err
	}
	if h.dir != strings.HasSuffix(h.name, "/") {
		return header{}, refusal.New(refusal.BadEntryType, "%s is a file by its type or by its name, but not by both",
			h.name)
	}
	var ok bool
	if h.size, ok = octal(fieldSize.of(block)); !ok {
		return header{}, bad("the size of %s is not a plain octal number", h.name)
	}
	return h, h.checkRest(block)
}

// checkChecksum checks the checksum of the block, which may have any of the accepted encodings.
func checkChecksum(block []byte) error {
	got, sum := string(fieldChecksum.of(block)), checksum(block)
	if slices.ContainsFunc(checksumForms(), func(form string) bool { return got == fmt.Sprintf(form, sum) }) {
		return nil
	}
	if n, ok := octal([]byte(strings.TrimLeft(got, " "))); ok && n == sum {
		return bad("a header's checksum is correct, but not encoded as six digits, NUL, space")
	}
	return bad("a header's checksum is wrong")
}

// checkRest checks that all other fields have their required values.
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
		{"time", fieldMtime, 0}, {"device number", fieldMajor, 0}, {"device number", fieldMinor, 0},
	}
	for _, x := range fixed {
		if got, ok := octal(x.f.of(block)); !ok || got != x.want {
			return bad("the %s of %s is not %o%s", x.what, h.name, x.want, remedy(x.what))
		}
	}
	empty := []struct {
		what   string
		fields []field
	}{
		{"link", []field{fieldLink}}, {"owner's name", []field{fieldUname, fieldGname}},
		{"prefix before its name", []field{fieldRest}},
	}
	for _, x := range empty {
		for _, f := range x.fields {
			if !isZero(f.of(block)) {
				return bad("%s has a%s %s%s", h.name, article(x.what), x.what, remedy(x.what))
			}
		}
	}
	if h.dir && h.size != 0 {
		return bad("directory %s has a size", h.name)
	}
	return nil
}

// entryName reads a name: it must end with a NUL, and only NULs may follow.
func entryName(b []byte) (string, error) {
	end := bytes.IndexByte(b, 0)
	if end < 0 || !isZero(b[end:]) {
		return "", refusal.New(refusal.BadEntryName, "an entry's name is not terminated and padded with NULs")
	}
	name := string(b[:end])
	if name == "" || strings.HasPrefix(name, "/") || path.Clean(name) != strings.TrimSuffix(name, "/") ||
		strings.Contains(name, "..") {
		return "", refusal.New(refusal.BadEntryName, "bad entry name %q", name)
	}
	for _, c := range b[:end] {
		if c <= ' ' || c > '~' || c == '\\' {
			return "", refusal.New(refusal.BadEntryName, "bad entry name %q", name)
		}
	}
	return name, nil
}

// octal parses a number field: octal digits, up to the end of the field or followed by NULs and spaces only. A field of
// NULs is 0. Base-256, signs and leading spaces are refused. Twelve digits fill a size field and reach 64 GiB - 1;
// eleven and a NUL reach 8 GiB - 1.
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

// checksum returns the sum of all bytes of the block, with the checksum field taken as spaces.
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
