package nxs_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/systemset"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

type indexCase struct {
	name string
	raw  []byte
	want refusal.Reason
}

// crafted returns the index of the small set, changed through the schema.
func crafted(t testing.TB, change func(systemset.SystemSetIndex) error) []byte {
	t.Helper()
	msg, err := capnp.Unmarshal(smallIndex(t))
	if err != nil {
		t.Fatal(err)
	}
	from, err := systemset.ReadRootSystemSetIndex(msg)
	if err != nil {
		t.Fatal(err)
	}
	fresh, seg := capnp.NewSingleSegmentMessage(nil)
	root, err := systemset.NewRootSystemSetIndex(seg)
	if err == nil {
		err = capnp.Struct(root).CopyFrom(capnp.Struct(from))
	}
	if err == nil {
		err = change(root)
	}
	if err != nil {
		t.Fatal(err)
	}
	raw, err := fresh.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// bundle changes the first bundle.
func bundle(change func(systemset.BundleEntry) error) func(systemset.SystemSetIndex) error {
	return func(x systemset.SystemSetIndex) error {
		list, err := x.Bundles()
		if err != nil {
			return err
		}
		return change(list.At(0))
	}
}

// renewed changes the only bundle of a list that has room for every field.
func renewed(change func(systemset.BundleEntry) error) func(systemset.SystemSetIndex) error {
	return func(x systemset.SystemSetIndex) error {
		list, err := x.NewBundles(1)
		if err != nil {
			return err
		}
		e := list.At(0)
		return errors.Join(e.SetName("alpha.app"), e.SetVersion("1.1.0"), e.SetManifestSha256(make([]byte, 32)),
			e.SetPayloadSha256(make([]byte, 32)), change(e))
	}
}

func schemaVersion(v uint8) func(systemset.SystemSetIndex) error {
	return func(x systemset.SystemSetIndex) error { x.SetSchemaVersion(v); return nil }
}

// names gives the index bundles with these names.
func names(n int, name func(i int) string) func(systemset.SystemSetIndex) error {
	return func(x systemset.SystemSetIndex) error {
		list, err := x.NewBundles(int32(n))
		for i := range n {
			if err != nil {
				return err
			}
			e := list.At(i)
			for _, err := range []error{e.SetName(name(i)), e.SetVersion("1.0.0"),
				e.SetManifestSha256(make([]byte, 32)), e.SetPayloadSha256(make([]byte, 32))} {
				if err != nil {
					return err
				}
			}
		}
		return err
	}
}

func numbered(i int) string { return fmt.Sprintf("b%03d", i) }

func words(w ...uint64) []byte {
	var b []byte
	for _, x := range w {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return b
}

// hostileIndexes are what a trusted key may have signed by mistake or malice.
func hostileIndexes(t testing.TB) []indexCase {
	with := func(change func(systemset.SystemSetIndex) error) []byte { return crafted(t, change) }
	version := func(v string) func(systemset.SystemSetIndex) error {
		return func(x systemset.SystemSetIndex) error { return x.SetSystemVersion(v) }
	}
	publisher := func(n int) func(systemset.SystemSetIndex) error {
		return func(x systemset.SystemSetIndex) error { return x.SetPublisher(make([]byte, n)) }
	}
	same := func(name string) func(int) string { return func(int) string { return name } }
	good := smallIndex(t)
	return []indexCase{
		{"schema version 0", with(schemaVersion(0)), refusal.BadSchemaVersion},
		{"schema version 2", with(schemaVersion(2)), refusal.BadSchemaVersion},
		{"schema version 2 and nonsense", with(func(x systemset.SystemSetIndex) error {
			x.SetSchemaVersion(2)
			return x.SetSystemVersion("?")
		}), refusal.BadSchemaVersion},
		{"system version", with(version("1.1")), refusal.BadVersion},
		{"no system version", with(version("")), refusal.BadVersion},
		{"system version of 65 characters", with(version("1.0.0-" + strings.Repeat("a", 59))), refusal.BadVersion},
		{"system version without end", with(version("1.0.0-" + strings.Repeat("a", 10_000))), refusal.BadIndex},
		{"system version with NUL", with(version("1.1.0\x00")), refusal.BadIndex},
		{"publisher of 31 bytes", with(publisher(31)), refusal.BadIndex},
		{"no publisher", with(publisher(0)), refusal.BadIndex},

		{"it expires when it is made", with(func(x systemset.SystemSetIndex) error {
			x.SetTimestampUnixMs(5)
			x.SetExpiresUnixMs(5)
			return nil
		}), refusal.BadIndex},
		{"it expires in a moment", with(func(x systemset.SystemSetIndex) error {
			x.SetTimestampUnixMs(5)
			x.SetExpiresUnixMs(6)
			return nil
		}), ""},

		{"deadline below its bound", with(policy(999, 0, 0)), refusal.BadIndex},
		{"deadline over its bound", with(policy(3_600_001, 0, 0)), refusal.BadIndex},
		{"watch over its bound", with(policy(0, 3_600_001, 0)), refusal.BadIndex},
		{"quorum of services that are all required", with(policy(0, 0, 1)), refusal.BadIndex},
		{"quorum of 65535", with(policy(0, 0, 65535)), refusal.BadIndex},

		{"health that is a text", with(func(x systemset.SystemSetIndex) error {
			return capnp.Struct(x).SetText(3,
				"healthy")
		}), refusal.BadIndex},
		{"version floor that is a struct", with(misled(4)), refusal.BadIndex},
		{"version floor without its end",
			with(func(x systemset.SystemSetIndex) error { return capnp.Struct(x).SetData(4, []byte("1.0.0")) }),
			refusal.BadIndex},
		{"bundles that are a struct", with(misled(2)), refusal.BadIndex},
		{"publisher that is a struct", with(misled(1)), refusal.BadIndex},

		{"no bundles", with(names(0, numbered)), refusal.BadIndex},
		{"257 bundles", with(names(257, numbered)), refusal.TooManyBundles},
		{"bundles of one name", with(names(2, same("alpha"))), refusal.BadIndex},
		{"bundles in descending order", with(names(2, func(i int) string { return numbered(2 - i) })),
			refusal.BadIndex},
		{"name that climbs", with(names(1, same("../../etc"))), refusal.BadBundleName},
		{"absolute name", with(names(1, same("/etc"))), refusal.BadBundleName},
		{"name with NUL", with(names(1, same("a\x00b"))), refusal.BadIndex},
		{"name that is no UTF-8", with(names(1, same("a\xffb"))), refusal.BadIndex},
		{"no name", with(names(1, same(""))), refusal.BadBundleName},
		{"long name", with(names(1, same(strings.Repeat("a", 65)))), refusal.BadBundleName},
		{"bundle version", with(bundle(func(e systemset.BundleEntry) error { return e.SetVersion("1") })),
			refusal.BadVersion},
		{"manifest digest of 31 bytes",
			with(bundle(func(e systemset.BundleEntry) error { return e.SetManifestSha256(make([]byte, 31)) })),
			refusal.BadIndex},
		{"payload digest of 33 bytes",
			with(bundle(func(e systemset.BundleEntry) error { return e.SetPayloadSha256(make([]byte, 33)) })),
			refusal.BadIndex},
		{"no digests", with(bundle(func(e systemset.BundleEntry) error { return e.SetPayloadSha256(nil) })),
			refusal.BadIndex},
		{"payload of 2^64-1 bytes",
			with(bundle(func(e systemset.BundleEntry) error { e.SetPayloadSize(1<<64 - 1); return nil })),
			refusal.PayloadTooLarge},
		{"payload of 2^63 bytes",
			with(bundle(func(e systemset.BundleEntry) error { e.SetPayloadSize(1 << 63); return nil })),
			refusal.PayloadTooLarge},
		{"payload over the policy",
			with(bundle(func(e systemset.BundleEntry) error { e.SetPayloadSize(50<<20 + 1); return nil })),
			refusal.PayloadTooLarge},

		{"fs-verity digest of 31 bytes", with(renewed(func(e systemset.BundleEntry) error {
			return e.SetPayloadVerity(make([]byte, 31))
		})), refusal.BadIndex},
		{"fs-verity digest of 33 bytes", with(renewed(func(e systemset.BundleEntry) error {
			return e.SetPayloadVerity(bytes.Repeat([]byte{1}, 33))
		})), refusal.BadIndex},
		{"fs-verity digest of zeros", with(renewed(func(e systemset.BundleEntry) error {
			return e.SetPayloadVerity(make([]byte, 32))
		})), refusal.BadIndex},
		{"fs-verity digest that is a struct", with(renewed(func(e systemset.BundleEntry) error {
			s, err := capnp.NewStruct(e.Segment(), capnp.ObjectSize{DataSize: 32})
			if err != nil {
				return err
			}
			return capnp.Struct(e).SetPtr(5, s.ToPtr())
		})), refusal.BadIndex},

		{"one byte more", append(slices.Clone(good), 0), refusal.BadIndex},
		{"one word more", append(slices.Clone(good), make([]byte, 8)...), refusal.BadIndex},
		{"one word less", good[:len(good)-8], refusal.BadIndex},
		{"text", []byte("no message at all, just text, but signed"), refusal.BadIndex},
		{"empty segment", words(0), refusal.BadIndex},
		{"no root", words(1<<32, 0), refusal.BadIndex},
		{"2^32-1 segments", words(0xffffffff, 0, 0), refusal.BadIndex},
		{"65 segments", withEmptySegments(good, 65), refusal.BadIndex},
		{"a segment of 2^32-1 words", words(0xffffffff<<32, 0), refusal.BadIndex},
		{"root that is a list", words(2<<32, 0x0000000100000001, 0), refusal.BadIndex},
		{"root that leads to itself", words(1<<32, 0x00010000fffffffc), refusal.BadIndex},
		{"root outside of the segment", words(1<<32, 0x0003000200000ffc), refusal.BadIndex},
		{"far pointer to itself", words(1<<32, 2), refusal.BadIndex},
		{"257 bundles of no size", claiming(t, 257), refusal.TooManyBundles},
		{"256 bundles of no size", claiming(t, 256), refusal.BadBundleName},
		{"2^29-1 bundles of no size", claiming(t, 1<<29-1), refusal.BadIndex},
	}
}

// misled makes a pointer of the index refer to an empty struct.
func misled(pointer uint16) func(systemset.SystemSetIndex) error {
	return func(x systemset.SystemSetIndex) error {
		s, err := capnp.NewStruct(x.Segment(), capnp.ObjectSize{DataSize: 8})
		if err != nil {
			return err
		}
		return capnp.Struct(x).SetPtr(pointer, s.ToPtr())
	}
}

// claiming returns the index of the small set, but its list of bundles claims to have count elements of size zero.
func claiming(t testing.TB, count uint64) []byte {
	raw := smallIndex(t)
	// after the framing, the root pointer and two pointers; without a timestamp there are no data words
	const pointer = 4 * 8
	word := binary.LittleEndian.Uint64(raw[pointer:])
	tag := pointer + 8 + int(word&0xffffffff>>2)*8
	binary.LittleEndian.PutUint64(raw[pointer:], word&0xffffffff|7<<32) // composite, of no words
	binary.LittleEndian.PutUint64(raw[tag:], count<<2)
	return raw
}

func TestParseIndexRefuses(t *testing.T) {
	for _, c := range hostileIndexes(t) {
		if c.name == "payload over the policy" {
			continue // the index alone knows no policy
		}
		_, err := nxs.ParseIndex(c.raw)
		if got := refusal.Of(err); got != c.want {
			t.Errorf("%s: got %q (%v), want %q", c.name, got, err, c.want)
		}
	}
}

// Signed, but still refused.
func TestRejectHostileIndex(t *testing.T) {
	for _, c := range hostileIndexes(t) {
		_, err := read(updatestest.ArchiveOf(t, updatestest.Key(1), c.raw, small()...))
		if got := refusal.Of(err); got != c.want {
			t.Errorf("%s: got %q (%v), want %q", c.name, got, err, c.want)
		}
	}
}

func TestIndexRoundTrip(t *testing.T) {
	want := updatestest.Index(updatestest.Key(1), "1.1.0", small()...)
	want.TimestampUnixMs = 1<<64 - 1
	want.Bundles[1].PayloadVerity = nxs.Digest{31: 1}
	raw, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := nxs.ParseIndex(raw)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
}

// Other encodings of the same index are accepted; they have other digests.
func TestOtherEncodingsAreAccepted(t *testing.T) {
	want, err := nxs.ParseIndex(smallIndex(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{
		"not canonical":      crafted(t, func(x systemset.SystemSetIndex) error { return x.SetSystemVersion("1.1.0") }),
		"many segments":      segmented(t, smallIndex(t)),
		"64 segments":        withEmptySegments(smallIndex(t), 64),
		"unknown new fields": newer(t),
		"unused words":       padded(smallIndex(t), 4096),
	} {
		if bytes.Equal(raw, smallIndex(t)) {
			t.Errorf("%s: it is the same encoding", name)
		}
		got, err := read(updatestest.ArchiveOf(t, updatestest.Key(1), raw, small()...))
		if err != nil || !reflect.DeepEqual(got.head.Index, want) || got.head.Digest != nxs.Sum(raw) {
			t.Errorf("%s: got %+v, %v", name, got.head, err)
		}
	}
}

// segmented distributes a message over many segments, with far pointers between them.
func segmented(t testing.TB, raw []byte) []byte {
	t.Helper()
	old, err := capnp.Unmarshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	root, err := old.Root()
	if err != nil {
		t.Fatal(err)
	}
	msg, _, err := capnp.NewMessage(capnp.MultiSegment([][]byte{make([]byte, 0, 8), make([]byte, 0, 80),
		make([]byte, 0, 1024)}))
	if err == nil {
		err = msg.SetRoot(root)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := msg.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if binary.LittleEndian.Uint32(out) == 0 {
		t.Fatal("the message has one segment only")
	}
	return out
}

// withEmptySegments adds empty segments to a message with one segment, for a total of n.
func withEmptySegments(raw []byte, n int) []byte {
	table := make([]byte, (4+4*n+7)/8*8)
	binary.LittleEndian.PutUint32(table, uint32(n-1))
	copy(table[4:], raw[4:8])
	return append(table, raw[8:]...)
}

// newer returns the index of the small set as a later version of the format might write it.
func newer(t testing.TB) []byte {
	t.Helper()
	return updatestest.Wider(t, smallIndex(t), capnp.ObjectSize{DataSize: 32, PointerCount: 6})
}

// padded adds unused words to a message with one segment, for a total of size bytes.
func padded(raw []byte, size int) []byte {
	out := append(slices.Clone(raw), make([]byte, size-len(raw))...)
	binary.LittleEndian.PutUint32(out[4:], uint32(size/8-1))
	return out
}
