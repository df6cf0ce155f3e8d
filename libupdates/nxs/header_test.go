package nxs

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"nexus/libupdates/refusal"
)

// Sizes up to the highest limit of a policy, beyond eleven octal digits, and beyond those for which other writers use
// base-256.
func TestHeaderSizes(t *testing.T) {
	for _, size := range []int64{0, 1, 511, 512, 8<<30 - 1, 8 << 30, MaxPolicy - 1, MaxPolicy} {
		var out bytes.Buffer
		if err := writeHeader(&out, "alpha.nxb/payload.elf", size); err != nil {
			t.Fatal(err)
		}
		h, err := parseHeader((*[blockSize]byte)(out.Bytes()))
		if err != nil || h.size != size || h.name != "alpha.nxb/payload.elf" || h.dir {
			t.Errorf("%d: got %+v, %v", size, h, err)
		}
	}
}

// Even if its checksum is corrected, no byte of a header may change, except in the ways to write a zero, to end a
// number and to mark a file.
func TestHeaderBytesAreFixed(t *testing.T) {
	var out bytes.Buffer
	if err := writeHeader(&out, "alpha.nxb/payload.elf", 0o1234567); err != nil {
		t.Fatal(err)
	}
	good := [blockSize]byte(out.Bytes())
	want, err := parseHeader(&good)
	if err != nil {
		t.Fatal(err)
	}
	for at := range good {
		if at >= fieldChecksum.at && at < fieldChecksum.at+fieldChecksum.size {
			continue
		}
		for c := range 256 {
			b := good
			b[at] = byte(c)
			copy(fieldChecksum.of(b[:]), fmt.Sprintf(checksumPOSIX, checksum(b[:])))
			got, err := parseHeader(&b)
			if err != nil || b == good {
				continue
			}
			same := got == want
			switch {
			case same && at == fieldType.at && c == typeOldFile: // a regular file, too
			case same && endsNumber(good, at) && (c == 0 || c == ' ' || c == '0'): // other ways to the end of a number
			case !same && at < fieldName.size && got.name != want.name: // checked by the reader, like the size
			case !same && at >= fieldSize.at && at < fieldSize.at+fieldSize.size && got.size != want.size:
			default:
				t.Errorf("byte %d may be %#x: got %+v", at, c, got)
			}
		}
	}
}

// endsNumber reports whether a byte is the end of a number field, or the last digit of one that is zero.
func endsNumber(b [blockSize]byte, at int) bool {
	for _, f := range []field{fieldMode, fieldUID, fieldGID, fieldSize, fieldMtime, fieldMajor, fieldMinor} {
		end := f.at + f.size - 1
		if at == end || at == end-1 && isZero(bytes.Trim(f.of(b[:]), "0")) {
			return true
		}
	}
	return false
}

func TestOctal(t *testing.T) {
	for text, want := range map[string]int64{
		"0000644\x00": 0o644, "00000644": 0o644, "000644 \x00": 0o644, "644\x00\x00\x00\x00\x00": 0o644, "0000000 ": 0,
		"\x00\x00\x00\x00\x00\x00\x00\x00": 0, "777777777777": 1<<36 - 1,
	} {
		if got, ok := octal([]byte(text)); !ok || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"        ", "\x00\x00\x00\x00\x00\x00\x00 ", " 0000644", "0000 644", "000\x000644", "-000644\x00",
		"+000644\x00", "0000648\x00",
		"0x00644\x00", "\x80\x00\x00\x00\x00\x00\x01\xa4", "\xff\xff\xff\xff\xff\xff\xff\xff", "0000644\n",
	} {
		if got, ok := octal([]byte(text)); ok {
			t.Errorf("%q: got %d", text, got)
		}
	}
}

// What does not begin as a set is told what it is, where that shows.
func TestCheckStart(t *testing.T) {
	block := func(text string) []byte { return append([]byte(text), make([]byte, blockSize)...)[:blockSize] }
	for name, c := range map[string]struct {
		head   []byte
		reason refusal.Reason
		part   string
	}{
		"nothing": {nil, refusal.Truncated, "not a system set (.nxs): it ends before"},
		"short":   {[]byte("hello"), refusal.Truncated, "not a system set (.nxs): it ends before"},
		"text":    {bytes.Repeat([]byte("y\n"), 256), refusal.BadArchive, "it is not a system set (.nxs)"},
		"program": {block("\x7fELF"), refusal.BadArchive, "it is a program (ELF)"},
		"zip":     {block("PK\x03\x04"), refusal.BadArchive, "it is a zip archive, not a system set"},
		"gzip":    {block("\x1f\x8b"), refusal.BadArchive, "compressed with gzip"},
	} {
		err := CheckStart(c.head)
		if refusal.Of(err) != c.reason || !strings.Contains(err.Error(), c.part) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
