package interop

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/selftest/kit"
)

// A file is one of our files, with its type in the schemas and our reader for it.
type file struct {
	name, schema, kind string
	raw                []byte
	rewrite            func(raw []byte) ([]byte, error) // reads the file and writes it again
}

// files returns the golden files of the first version, whose content is fixed.
func files(t *testing.T) []file {
	t.Helper()
	read := func(name string) []byte {
		raw, err := os.ReadFile(filepath.Join("../../libupdates/golden/testdata/v1", name))
		kit.Must(t, err)
		return raw
	}
	record := func(raw []byte) ([]byte, error) {
		r, err := bootctl.Decode(raw)
		if err != nil {
			return nil, err
		}
		return bootctl.Encode(r)
	}
	set := read("system.nxs")
	inspected, err := nxs.Inspect(t.Context(), bytes.NewReader(set), int64(len(set)), nxs.DefaultLimits())
	kit.Must(t, err)
	return []file{
		{"manifest", "manifest.capnp", "BundleManifest", read("manifest.nxb"), func(raw []byte) ([]byte, error) {
			m, err := nxb.ParseManifest(raw)
			if err != nil {
				return nil, err
			}
			return m.Encode()
		}},
		{"index", "systemset.capnp", "SystemSetIndex", inspected.Raw, func(raw []byte) ([]byte, error) {
			x, err := nxs.ParseIndex(raw)
			if err != nil {
				return nil, err
			}
			return x.Encode()
		}},
		{"record", "bootrecord.capnp", "BootRecord", read("record-rich"), record},
		{"empty record", "bootrecord.capnp", "BootRecord", read("record-empty"), record},
	}
}

// TestFilesInCXX has the reference implementation read our files and write them; the output must equal ours, and our
// readers must accept it.
func TestFilesInCXX(t *testing.T) {
	need(t, "capnp --version")
	std := annotations(t)
	for _, f := range files(t) {
		t.Run(f.name, func(t *testing.T) {
			capnp := func(stdin []byte, verb string, more ...string) []byte {
				args := append([]string{verb, "--no-standard-import", "-I", std}, more...)
				return run(t, stdin, "capnp", append(args, filepath.Join(schemas, f.schema), f.kind)...)
			}
			// Through JSON, because version 0.9.2 cannot read all Data values in the text form that it writes.
			text := capnp(f.raw, "convert", "binary:json")
			theirs := capnp(text, "convert", "json:binary")
			if again := capnp(theirs, "convert", "binary:json"); !bytes.Equal(again, text) {
				t.Errorf("it reads its own bytes as\n%s\nand ours as\n%s", again, text)
			}
			if decoded := capnp(f.raw, "decode"); !bytes.Equal(decoded, capnp(theirs, "decode")) {
				t.Errorf("it decodes its own bytes and ours differently; ours as\n%s", decoded)
			}
			ours, err := f.rewrite(theirs)
			if err != nil {
				t.Fatalf("cannot read what it writes: %v", err)
			}
			if !bytes.Equal(capnp(ours, "convert", "binary:json"), text) {
				t.Errorf("what we make of its bytes is another %s", f.kind)
			}
			// One segment for almost every object, which other writers may produce.
			scattered := capnp(text, "convert", "--segment-size=1", "json:binary")
			if ours, err = f.rewrite(scattered); err != nil || !bytes.Equal(ours, f.raw) {
				t.Errorf("out of %d segments we read another %s: %v", 1+binary.LittleEndian.Uint32(scattered), f.kind,
					err)
			}
			if canonical := capnp(f.raw, "convert", "binary:canonical"); !bytes.Equal(framed(canonical), f.raw) {
				t.Errorf("ours is not canonical: %d bytes, its %d", len(f.raw), len(framed(canonical)))
			}
		})
	}
}

// framed adds a segment table to a canonical message, which has none.
func framed(segment []byte) []byte {
	table := binary.LittleEndian.AppendUint32(make([]byte, 4), uint32(len(segment)/8))
	return append(table, segment...)
}
