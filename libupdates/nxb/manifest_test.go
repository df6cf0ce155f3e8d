package nxb_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/manifest"
	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

func full() nxb.Manifest {
	return nxb.Manifest{
		Name:          "alpha.app",
		Version:       "1.2.3-rc.1+build",
		Abilities:     []string{nxb.AbilityService, "example.ability.Other"},
		Capabilities:  []string{"BundleMgr"},
		MinSDK:        "1.0.0",
		Publisher:     [16]byte{1, 2, 3},
		Signature:     bytes.Repeat([]byte{7}, 64),
		PayloadDigest: bytes.Repeat([]byte{8}, 32),
		PayloadSize:   1 << 40,
	}
}

func encode(t testing.TB, m nxb.Manifest) []byte {
	t.Helper()
	raw, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestManifestRoundTrip(t *testing.T) {
	oldest := nxb.Manifest{Name: "a", Version: "0.0.1", Signature: make([]byte, 64)} // no digest, no abilities, any SDK
	launched := full()
	launched.Args, launched.Environment = []string{"", "--root", "/a b"}, []string{"_A1=", "B=x=y"}
	for _, want := range []nxb.Manifest{full(), oldest, launched} {
		got, err := nxb.ParseManifest(encode(t, want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

// The bytes of version 1 of the format. They never change, because released sets refer to them by digest.
func TestManifestGolden(t *testing.T) {
	const want = "ac2d66ae72b3699c36212a5842b8388156f715a3a6acf9f9ae550c8c53c36253"
	if sum := sha256.Sum256(encode(t, full())); hex.EncodeToString(sum[:]) != want {
		t.Fatalf("got %x", sum)
	}
}

func TestAbilities(t *testing.T) {
	if m := full(); !m.IsService() || m.IsMain() {
		t.Error("a service is not reported as one, or is reported as main")
	}
	if m := (nxb.Manifest{Abilities: []string{nxb.AbilityMain}}); m.IsService() || !m.IsMain() {
		t.Error("a main is not reported as one, or is reported as a service")
	}
}

// crafted builds a manifest with the schema; it is valid except for the change. It has two segments if the change asks
// for it.
func crafted(t testing.TB, change func(manifest.BundleManifest) error) []byte {
	t.Helper()
	msg, seg := capnp.NewSingleSegmentMessage(nil)
	return craftedIn(t, msg, seg, change)
}

func craftedIn(t testing.TB, msg *capnp.Message, seg *capnp.Segment,
	change func(manifest.BundleManifest) error) []byte {
	t.Helper()
	root, err := manifest.NewRootBundleManifest(seg)
	if err != nil {
		t.Fatal(err)
	}
	root.SetSchemaVersion(1)
	for _, err := range []error{root.SetName("alpha"), root.SetSemver("1.0.0"), root.SetMinSdk("1.0.0"),
		root.SetPublisher(make([]byte, 16)),
		root.SetSignature(make([]byte, 64)), root.SetPayloadDigest(make([]byte, 32)), change(root)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	raw, err := msg.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func texts(make func(int32) (capnp.TextList, error), n int, text string) error {
	list, err := make(int32(n))
	for i := range n {
		if err == nil {
			err = list.Set(i, text)
		}
	}
	return err
}

type corpus struct {
	name string
	raw  []byte
	want refusal.Reason
}

func manifests(t testing.TB) []corpus {
	with := func(change func(m manifest.BundleManifest) error) []byte { return crafted(t, change) }
	good := with(func(manifest.BundleManifest) error { return nil })
	version := func(v uint8) []byte {
		return with(func(m manifest.BundleManifest) error { m.SetSchemaVersion(v); return nil })
	}
	abilities := func(n int, text string) []byte {
		return with(func(m manifest.BundleManifest) error { return texts(m.NewAbilities, n, text) })
	}
	arguments := func(n int, text string) []byte {
		return with(func(m manifest.BundleManifest) error { return texts(m.NewArgs, n, text) })
	}
	variables := func(all ...string) []byte {
		return with(func(m manifest.BundleManifest) error {
			list, err := m.NewEnvironment(int32(len(all)))
			for i, text := range all {
				if err == nil {
					err = list.Set(i, text)
				}
			}
			return err
		})
	}
	return []corpus{
		{"good", good, ""},
		{"other segments", segmented(t), ""},
		{"newer, with fields we do not know", newer(t), ""},
		{"64 abilities of 128 bytes", abilities(64, strings.Repeat("x", 128)), ""},
		{"no digest", with(func(m manifest.BundleManifest) error { return m.SetPayloadDigest(nil) }), ""},
		{"any SDK", with(func(m manifest.BundleManifest) error { return m.SetMinSdk("") }), ""},

		{"schema version 0", version(0), refusal.BadSchemaVersion},
		{"schema version 2", version(2), refusal.BadSchemaVersion},
		{"schema version 255", version(255), refusal.BadSchemaVersion},
		{"name", with(func(m manifest.BundleManifest) error { return m.SetName("../alpha") }), refusal.BadBundleName},
		{"no name", with(func(m manifest.BundleManifest) error { return m.SetName("") }), refusal.BadBundleName},
		{"name with NUL", with(func(m manifest.BundleManifest) error { return m.SetName("al\x00pha") }),
			refusal.BadManifest},
		{"name that is no UTF-8", with(func(m manifest.BundleManifest) error { return m.SetName("al\xffpha") }),
			refusal.BadManifest},
		{"long name", with(func(m manifest.BundleManifest) error { return m.SetName(strings.Repeat("a", 4096)) }),
			refusal.BadManifest},
		{"version", with(func(m manifest.BundleManifest) error { return m.SetSemver("1.0") }), refusal.BadVersion},
		{"SDK version", with(func(m manifest.BundleManifest) error { return m.SetMinSdk("any") }), refusal.BadVersion},
		{"abilities that are a text", with(func(m manifest.BundleManifest) error {
			return capnp.Struct(m).SetText(2,
				"nexus.ability.Main")
		}), refusal.BadManifest},
		{"minimal SDK that is a list", with(func(m manifest.BundleManifest) error {
			list, err := capnp.NewUInt64List(m.Segment(), 1)
			if err != nil {
				return err
			}
			return capnp.Struct(m).SetPtr(4, list.ToPtr())
		}), refusal.BadManifest},
		{"65 abilities", abilities(65, "x"), refusal.BadManifest},
		{"ability of 129 bytes", abilities(1, strings.Repeat("x", 129)), refusal.BadManifest},
		{"ability that is no UTF-8", abilities(2, "\xc0\x80"), refusal.BadManifest},
		{"65 capabilities", with(func(m manifest.BundleManifest) error { return texts(m.NewCapabilities, 65, "x") }),
			refusal.BadManifest},
		{"publisher of 15 bytes",
			with(func(m manifest.BundleManifest) error { return m.SetPublisher(make([]byte, 15)) }),
			refusal.BadManifest},
		{"publisher of 32 bytes",
			with(func(m manifest.BundleManifest) error { return m.SetPublisher(make([]byte, 32)) }),
			refusal.BadManifest},
		{"signature of 63 bytes",
			with(func(m manifest.BundleManifest) error { return m.SetSignature(make([]byte, 63)) }),
			refusal.BadManifest},
		{"no signature", with(func(m manifest.BundleManifest) error { return m.SetSignature(nil) }),
			refusal.BadManifest},
		{"digest of 31 bytes",
			with(func(m manifest.BundleManifest) error { return m.SetPayloadDigest(make([]byte, 31)) }),
			refusal.BadManifest},

		{"64 arguments", arguments(64, "x"), ""},
		{"4 arguments of 1024 bytes", arguments(4, strings.Repeat("x", 1024)), ""},
		{"65 arguments", arguments(65, "x"), refusal.BadManifest},
		{"an argument of 1025 bytes", arguments(1, strings.Repeat("x", 1025)), refusal.BadManifest},
		{"arguments of 5 KiB", arguments(5, strings.Repeat("x", 1024)), refusal.BadManifest},
		{"an argument with NUL", arguments(1, "a\x00b"), refusal.BadManifest},
		{"an argument that is no UTF-8", arguments(1, "\xff"), refusal.BadManifest},
		{"arguments that are a text", with(func(m manifest.BundleManifest) error {
			return capnp.Struct(m).SetText(8, "--all")
		}), refusal.BadManifest},
		{"a variable", variables("LANG=C"), ""},
		{"a variable without a value", variables("LANG="), ""},
		{"a variable without =", variables("LANG"), refusal.BadManifest},
		{"a variable without a name", variables("=C"), refusal.BadManifest},
		{"a variable with a space", variables("LA NG=C"), refusal.BadManifest},
		{"a variable that begins with a digit", variables("1A=C"), refusal.BadManifest},
		{"a variable of the system", variables("NEXUS_BUNDLE=beta"), refusal.BadManifest},
		{"a variable of those with sockets", variables("LISTEN_FDS=9"), refusal.BadManifest},
		{"a variable twice", variables("A=1", "B=1", "A=2"), refusal.BadManifest},

		{"nothing", nil, refusal.BadManifest},
		{"text", []byte("name = alpha\n\n\n\n"), refusal.BadManifest},
		{"one word more", append(slices.Clone(good), make([]byte, 8)...), refusal.BadManifest},
		{"one byte more", append(slices.Clone(good), 0), refusal.BadManifest},
		{"one word less", good[:len(good)-8], refusal.BadManifest},
		{"no root", words(1<<32, 0), refusal.BadManifest},
		{"empty segment", words(0), refusal.BadManifest},
		{"2^32-1 segments", words(1<<64-1, 0, 0), refusal.BadManifest},
		{"a segment of 2^32-1 words", words(0xffffffff<<32, 0), refusal.BadManifest},
		{"root that is a list", words(2<<32, 0x0000000100000001, 0), refusal.BadManifest},
		{"root outside of the segment", words(1<<32, 0x0001000100000ffc), refusal.BadManifest},
		{"root that leads to itself", words(1<<32, 0x00010000fffffffc), refusal.BadManifest},
		{"far pointer to itself", words(1<<32, 2), refusal.BadManifest},
		{"list of 2^29-1 nothings", bomb(), refusal.BadManifest},
		{"over the size", words(append([]uint64{(nxb.MaxManifest / 8) << 32}, make([]uint64, nxb.MaxManifest/8)...)...),
			refusal.ManifestTooLarge},
		{"of just the size, all zero", words(append([]uint64{(nxb.MaxManifest/8 - 1) << 32},
			make([]uint64, nxb.MaxManifest/8-1)...)...), refusal.BadManifest},
	}
}

func words(w ...uint64) []byte {
	var b []byte
	for _, x := range w {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return b
}

// bomb returns a manifest of 13 words whose abilities claim 2^29-1 elements of size zero.
func bomb() []byte {
	w := make([]uint64, 12)
	w[0] = 11 << 32                // one segment
	w[1] = 0x0008_0002_0000_0000   // root: two data words, eight pointers
	w[4+2] = 0xffff_fff8_0000_0001 // abilities: a list of void
	return words(w...)
}

// segmented returns a valid manifest with one object per segment and far pointers between them.
func segmented(t testing.TB) []byte {
	t.Helper()
	msg, seg, err := capnp.NewMessage(capnp.MultiSegment([][]byte{make([]byte, 0, 8), make([]byte, 0, 96),
		make([]byte, 0, 512)}))
	if err != nil {
		t.Fatal(err)
	}
	raw := craftedIn(t, msg, seg, func(manifest.BundleManifest) error { return nil })
	if binary.LittleEndian.Uint32(raw) == 0 {
		t.Fatal("the message has one segment only")
	}
	return raw
}

// newer returns a valid manifest with a data word and a pointer after those of version 1.
func newer(t testing.TB) []byte {
	t.Helper()
	return updatestest.Wider(t, crafted(t, func(manifest.BundleManifest) error { return nil }),
		capnp.ObjectSize{DataSize: 24, PointerCount: 11})
}

func TestParseManifest(t *testing.T) {
	for _, c := range manifests(t) {
		_, err := nxb.ParseManifest(c.raw)
		if got := refusal.Of(err); got != c.want {
			t.Errorf("%s: got %q (%v), want %q", c.name, got, err, c.want)
		}
	}
}

// Everything that can be parsed can be encoded, and the result parses to the same manifest.
func FuzzManifest(f *testing.F) {
	for _, c := range manifests(f) {
		if len(c.raw) < 64<<10 {
			f.Add(c.raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := nxb.ParseManifest(raw)
		if err != nil {
			if r := refusal.Of(err); r == refusal.IO {
				t.Fatalf("no refusal: %v", err)
			}
			return
		}
		again, err := nxb.ParseManifest(encode(t, m))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("got %+v, %v, want %+v", again, err, m)
		}
	})
}
