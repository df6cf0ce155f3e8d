package nxs

import (
	"bytes"
	"errors"
	"strings"

	"nexus/libupdates/refusal"
)

// Any writer of ustar archives can pack a set, but few do so by default. A refusal therefore names the options of
// common writers; docs/packaging/system-set.md has the full command lines.

func bad(format string, args ...any) error {
	return refusal.New(refusal.BadArchive, "bad archive: "+format, args...)
}

// remedy returns how to make a writer leave a header field as a set needs it.
func remedy(what string) string {
	switch what {
	case "mode":
		return " (GNU tar: --mode=u=rwX,go=rX)"
	case "user id", "group id":
		return " (GNU tar: --owner=0 --group=0; bsdtar: --uid 0 --gid 0)"
	case "time":
		return " (GNU tar: --mtime=@0; elsewhere: touch -d @0 before packing)"
	case "owner's name":
		return " (GNU tar and bsdtar: --numeric-owner)"
	case "prefix before its name":
		return ": entries are named from the set's root on"
	default:
		return ""
	}
}

func article(noun string) string {
	if strings.HasPrefix(noun, "o") {
		return "n"
	}
	return ""
}

// notUstar returns the refusal for a block that is not a ustar header.
func notUstar(block []byte) error {
	for _, c := range []struct{ name, magic string }{
		{"gzip", "\x1f\x8b"}, {"zstd", "\x28\xb5\x2f\xfd"}, {"xz", "\xfd7zXZ\x00"}, {"bzip2", "BZh"},
	} {
		if bytes.HasPrefix(block, []byte(c.magic)) {
			return bad("it is compressed with %s, but a set must not be compressed", c.name)
		}
	}
	for _, c := range []struct{ what, magic, remedy string }{
		{"a program (ELF)", "\x7fELF", ": nxb-pack makes a bundle of it, and nxs-pack a set of bundles"},
		{"a zip archive", "PK\x03\x04", ""},
	} {
		if bytes.HasPrefix(block, []byte(c.magic)) {
			return bad("it is %s, not a system set (.nxs)%s", c.what, c.remedy)
		}
	}
	if checkChecksum(block) == nil {
		return bad("a header has the format that preceded ustar (GNU tar: --format=ustar)")
	}
	return errNoUstar
}

// errNoUstar says that a block is no header, whatever else it is.
var errNoUstar = bad("a header is not a ustar header")

// CheckStart looks at the beginning of what is said to be a set, at most the first BlockSize bytes, and says what it is
// if it is none: for whoever is about to receive all of it. A set can be refused all the same.
func CheckStart(head []byte) error {
	if len(head) < blockSize {
		return atStart(errTruncated())
	}
	_, err := parseHeader((*[blockSize]byte)(head))
	return atStart(err)
}

// BlockSize is the size of the header that a set begins with, in bytes.
const BlockSize = blockSize

// atStart says of something that does not begin as a set that it is none.
func atStart(err error) error {
	switch {
	case errors.Is(err, errNoUstar):
		return bad("it is not a system set (.nxs): it does not begin with a ustar header")
	case refusal.Of(err) == refusal.Truncated:
		return refusal.New(refusal.Truncated, "it is not a system set (.nxs): it ends before the first header does")
	}
	return err
}

// wrongType returns the refusal for an entry that is neither a file nor a directory.
func wrongType(kind byte) error {
	what := "neither a file nor a directory"
	switch kind {
	case 'x', 'g':
		what = "a pax extension header (GNU tar and bsdtar: --format=ustar; Python: USTAR_FORMAT and whole seconds)"
	case 'L', 'K':
		what = "a GNU tar extension header (--format=ustar)"
	case '1', '2':
		what = "a link (GNU tar: --hard-dereference --dereference)"
	}
	return refusal.New(refusal.BadEntryType, "an entry has type %q, %s", kind, what)
}

// record is the size in bytes to which writers pad archives by default, a tape record of 20 blocks.
const record = 20 * blockSize

// filled returns the refusal for an archive that continues after its end, with a hint if that looks like record
// padding.
func filled(left, size int64) error {
	if left < record && size%record == 0 {
		return refusal.New(refusal.TrailingData,
			"%d bytes after the end of the archive, which is padded to whole records of 10 KiB "+
				"(GNU tar: -b1; Python: tarfile.RECORDSIZE = 512)", left)
	}
	return refusal.New(refusal.TrailingData, "%d bytes after the end of the archive", left)
}
