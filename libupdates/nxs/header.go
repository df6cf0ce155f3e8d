package nxs

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"nexus/libupdates/refusal"
)

// blockSize is the unit of a ustar archive (POSIX.1-2017, pax, "ustar Interchange Format").
const blockSize = 512

// The kinds of entry a set may hold. The second is a regular file, too (POSIX.1-2017): writers that set no type leave
// it so.
const (
	typeFile    = '0'
	typeOldFile = 0
	typeDir     = '5'
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

// The two forms of magic and version. The second is GNU tar's; some writers of sets put it before entries that use
// nothing of GNU's.
const (
	magicUstar = "ustar\x0000"
	magicGNU   = "ustar  \x00"
)

// The forms of a checksum: that of POSIX, that of the same writers, and the historical order of the first, which npm's
// writers keep. No other is taken.
func checksumForms() []string { return []string{checksumPOSIX, "%07o\x00", "%06o \x00"} }

const checksumPOSIX = "%06o\x00 "

func (f field) of(b []byte) []byte { return b[f.at : f.at+f.size] }

// parseHeader reads a header block. It accepts what the format has and refuses all else: links, devices, extension
// entries, numbers that are not plain octal, owners, times, other modes, bytes where none belong. Refusals: BadArchive,
// BadEntryType, BadEntryName.
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
		return header{}, bad("the size of %s is no plain octal number", h.name)
	}
	return h, h.checkRest(block)
}

// checkChecksum wants the sum of the block, in one of its forms.
func checkChecksum(block []byte) error {
	got, sum := string(fieldChecksum.of(block)), checksum(block)
	if slices.ContainsFunc(checksumForms(), func(form string) bool { return got == fmt.Sprintf(form, sum) }) {
		return nil
	}
	if n, ok := octal([]byte(strings.TrimLeft(got, " "))); ok && n == sum {
		return bad("a header's checksum is right, but not written as six digits, NUL, space")
	}
	return bad("a header's checksum is wrong")
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

// entryName reads a name that ends with a NUL, with nothing but NULs after it.
func entryName(b []byte) (string, error) {
	end := bytes.IndexByte(b, 0)
	if end < 0 || !isZero(b[end:]) {
		return "", refusal.New(refusal.BadEntryName, "an entry's name does not end as it should")
	}
	name := string(b[:end])
	if name == "" || strings.HasPrefix(name, "/") || path.Clean(name) != strings.TrimSuffix(name, "/") ||
		strings.Contains(name, "..") {
		return "", refusal.New(refusal.BadEntryName, "an entry has the name %q", name)
	}
	for _, c := range b[:end] {
		if c <= ' ' || c > '~' || c == '\\' {
			return "", refusal.New(refusal.BadEntryName, "an entry has the name %q", name)
		}
	}
	return name, nil
}

// octal reads a number field: octal digits, then any NULs and spaces, or the field's edge; a field of NULs alone is 0.
// Base-256, signs and leading spaces are no numbers here. Twelve digits fill a size, 64 GiB less one; eleven and a NUL
// reach 8 GiB less one.
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
