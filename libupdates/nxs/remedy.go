package nxs

import (
	"bytes"
	"strings"

	"nexus/libupdates/refusal"
)

// A set may be packed by any writer of ustar archives, few of which do so by default. So a refusal says what to tell
// the usual ones; the table in docs/packaging/system-set.md has the whole command lines.

func bad(format string, args ...any) error {
	return refusal.New(refusal.BadArchive, "bad archive: "+format, args...)
}

// remedy is what to tell a writer about a field of a header.
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

// notUstar says what a block is that is no header of a ustar archive.
func notUstar(block []byte) error {
	for _, c := range []struct{ name, magic string }{
		{"gzip", "\x1f\x8b"}, {"zstd", "\x28\xb5\x2f\xfd"}, {"xz", "\xfd7zXZ\x00"}, {"bzip2", "BZh"},
	} {
		if bytes.HasPrefix(block, []byte(c.magic)) {
			return bad("it is compressed with %s, which a set never is", c.name)
		}
	}
	if checkChecksum(block) == nil {
		return bad("a header is of the format before ustar (GNU tar: --format=ustar)")
	}
	return bad("a header is no ustar header")
}

// wrongType says what an entry is that is neither file nor directory.
func wrongType(kind byte) error {
	what := "neither file nor directory"
	switch kind {
	case 'x', 'g':
		what = "an extension header of the pax format (GNU tar and bsdtar: --format=ustar; Python: USTAR_FORMAT and whole seconds)"
	case 'L', 'K':
		what = "an extension header of GNU tar's (--format=ustar)"
	case '1', '2':
		what = "a link (GNU tar: --hard-dereference --dereference)"
	}
	return refusal.New(refusal.BadEntryType, "an entry is of type %q, %s", kind, what)
}

// record is what writers of archives fill up to by default, for the sake of tapes: 20 blocks.
const record = 20 * blockSize

// filled says that an archive goes on after its end, and why that may be.
func filled(left, size int64) error {
	if left < record && size%record == 0 {
		return refusal.New(refusal.TrailingData,
			"%d bytes after the end of the archive, which is filled up to whole records of 10 KiB "+
				"(GNU tar: -b1; Python: tarfile.RECORDSIZE = 512)", left)
	}
	return refusal.New(refusal.TrailingData, "%d bytes after the end of the archive", left)
}
