package nxs_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

type archiveCase struct {
	name string
	raw  []byte
	want refusal.Reason
}

// hostileArchives are changes to the good archive after the signature; index and signature stay as they are.
func hostileArchives(t testing.TB) []archiveCase {
	return slices.Concat(hostileOrders(t), hostileHeaders(t), hostileManifests(t))
}

// hostileOrders have wrong entries. The good ones are 0 index, 1 signature, 2 and 3 of alpha, 4 and 5 of beta.
func hostileOrders(t testing.TB) []archiveCase {
	all := smallEntries(t)
	order := func(at ...int) []byte {
		var entries []entry
		for _, i := range at {
			entries = append(entries, all[i])
		}
		return pack(entries...)
	}
	insert := func(at int, e entry) []byte { return pack(slices.Insert(slices.Clone(all), at, e)...) }
	extra := entry{name: "notes.txt", body: []byte("hello")}
	return []archiveCase{
		{"nothing", nil, refusal.Truncated},
		{"two zero blocks", pack(), refusal.MissingEntry},
		{"no index", order(1, 2, 3, 4, 5), refusal.MissingEntry},
		{"signature before index", order(1, 0, 2, 3, 4, 5), refusal.MisorderedEntry},
		{"no last payload", append(order(0, 1, 2, 3, 4), make([]byte, 512)...), refusal.MissingEntry},
		{"no last payload, and the size tells", order(0, 1, 2, 3, 4), refusal.MissingEntry},
		{"no bundles", order(0, 1), refusal.MissingEntry},
		{"payload before manifest", order(0, 1, 3, 2, 4, 5), refusal.MisorderedEntry},
		{"beta before alpha", order(0, 1, 4, 5, 2, 3), refusal.MisorderedEntry},
		{"alpha's manifest left out", append(order(0, 1, 3, 4, 5), make([]byte, 1024)...), refusal.MissingEntry},
		{"manifest twice", order(0, 1, 2, 2, 3, 4, 5), refusal.DuplicateEntry},
		{"payload twice", order(0, 1, 2, 3, 3, 4, 5), refusal.DuplicateEntry},
		{"bundle twice", order(0, 1, 2, 3, 2, 3, 4, 5), refusal.DuplicateEntry},
		{"last payload twice", order(0, 1, 2, 3, 4, 5, 5), refusal.DuplicateEntry},
		{"index twice", order(0, 1, 0, 2, 3, 4, 5), refusal.DuplicateEntry},
		{"signature twice", order(0, 1, 1, 2, 3, 4, 5), refusal.DuplicateEntry},
		{"more before the bundles", insert(2, extra), refusal.UnexpectedEntry},
		{"more inside of a bundle", insert(3, entry{name: "alpha.app.nxb/notes.txt"}), refusal.UnexpectedEntry},
		{"more at the end", insert(6, extra), refusal.UnexpectedEntry},
		{"bundle that is not in the index", insert(6, entry{name: "gamma.nxb/manifest.nxb"}), refusal.UnexpectedEntry},
		{"directory of a bundle that is not in the index", insert(2, dir("gamma.nxb/")), refusal.UnexpectedEntry},
		{"directory of the next bundle", insert(2, dir("beta.nxb/")), refusal.MisorderedEntry},
		{"directory inside of its bundle", insert(3, dir("alpha.app.nxb/")), refusal.MisorderedEntry},
		{"directory at the end", insert(6, dir("beta.nxb/")), refusal.DuplicateEntry},
		{"directory below the bundle", insert(3, dir("alpha.app.nxb/lib/")), refusal.UnexpectedEntry},
		{"directory with a size", insert(2, entry{name: "alpha.app.nxb/", header: func(b []byte) {
			dir("").header(b)
			copy(b[124:], "00000001000\x00")
		}}), refusal.BadArchive},
		{"directory of another mode", insert(2, entry{name: "alpha.app.nxb/", header: func(b []byte) { b[156] = '5' }}),
			refusal.BadArchive},
		{"top directory", insert(2, dir("./")), refusal.UnexpectedEntry},
		{"one zero block, then more", slices.Concat(pack(all...)[:len(pack(all...))-512], all[5].block(),
			make([]byte, 512)), refusal.BadArchive},
		{"a zero block between entries", slices.Concat(pack(all[:4]...)[:len(pack(all[:4]...))-512], pack(all[4:]...)),
			refusal.MissingEntry},
	}
}

// hostileHeaders change one header, that of alpha's payload.
func hostileHeaders(t testing.TB) []archiveCase {
	header := func(change func(b []byte)) []byte {
		return with(t, 3, func(e *entry) { e.header = change })
	}
	put := func(at int, text string) []byte { return header(func(b []byte) { copy(b[at:], text) }) }
	named := func(name string) []byte {
		return header(func(b []byte) { clear(b[:100]); copy(b, name) })
	}
	kind := func(flag byte) []byte { return header(func(b []byte) { b[156] = flag }) }
	cases := []archiveCase{
		{"renamed", named("alpha.app.nxb/payload.bin"), refusal.UnexpectedEntry},
		{"other case", named("alpha.app.nxb/PAYLOAD.ELF"), refusal.UnexpectedEntry},
		{"absolute", named("/alpha.app.nxb/payload.elf"), refusal.BadEntryName},
		{"climbing", named("../alpha.app.nxb/payload.elf"), refusal.BadEntryName},
		{"climbing within", named("alpha.app.nxb/../payload.elf"), refusal.BadEntryName},
		{"dot", named("./alpha.app.nxb/payload.elf"), refusal.BadEntryName},
		{"two slashes", named("alpha.app.nxb//payload.elf"), refusal.BadEntryName},
		{"backslash", named(`alpha.app.nxb\payload.elf`), refusal.BadEntryName},
		{"NUL inside", named("alpha.app.nxb/payload.elf\x00.txt"), refusal.BadEntryName},
		{"no NUL at the end", named(strings.Repeat("a", 100)), refusal.BadEntryName},
		{"no name", named(""), refusal.BadEntryName},
		{"escape sequence", named("alpha\x1b[2J"), refusal.BadEntryName},
		{"not ASCII", named("älpha.app.nxb/payload.elf"), refusal.BadEntryName},
		{"file with a directory's name", named("alpha.app.nxb/payload.elf/"), refusal.BadEntryType},
		{"directory with a file's name", kind('5'), refusal.BadEntryType},

		{"size in base 256",
			header(func(b []byte) { copy(b[124:136], "\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10") }),
			refusal.BadArchive},
		{"negative size in base 256", header(func(b []byte) { copy(b[124:136], bytes.Repeat([]byte{0xff}, 12)) }),
			refusal.BadArchive},
		{"negative size", put(124, "-0000000020\x00"), refusal.BadArchive},
		{"size with a sign", put(124, "+0000000020\x00"), refusal.BadArchive},
		{"size that is no octal", put(124, "00000000018\x00"), refusal.BadArchive},
		{"size with spaces before", put(124, "         20\x00"), refusal.BadArchive},
		{"size with junk after", put(124, "0000020\x00junk"), refusal.BadArchive},
		{"absurd size", put(124, "777777777777"), refusal.SizeMismatch},
		{"smaller size", put(124, "00000000017\x00"), refusal.SizeMismatch},
		{"larger size", put(124, "00000000021\x00"), refusal.SizeMismatch},

		{"other mode", put(100, "0000755\x00"), refusal.BadArchive},
		{"setuid", put(100, "0004644\x00"), refusal.BadArchive},
		{"user id", put(108, "0000001\x00"), refusal.BadArchive},
		{"group id", put(116, "0001750\x00"), refusal.BadArchive},
		{"time", put(136, "14000000000\x00"), refusal.BadArchive},
		{"link name", put(157, "target"), refusal.BadArchive},
		{"old magic", put(257, "\x00\x00\x00\x00\x00\x00\x00\x00"), refusal.BadArchive},
		{"other version", put(257, "ustar\x0001"), refusal.BadArchive},
		{"user name", put(265, "root"), refusal.BadArchive},
		{"group name", put(297, "wheel"), refusal.BadArchive},
		{"device numbers", put(329, "0000001\x00"), refusal.BadArchive},
		{"prefix", put(345, "prefix"), refusal.BadArchive},
		{"tail", put(511, "x"), refusal.BadArchive},
		{"checksum", changed(t, 3, 148, '1'), refusal.BadArchive},
		{"padding after the payload", changedAfter(t, 3), refusal.BadArchive},
	}
	cases = append(cases, archiveCase{"type NUL", kind(0), ""}) // a regular file
	for _, flag := range []byte("1234678xgLKSVMNDAX9a\x01\xff") {
		cases = append(cases, archiveCase{fmt.Sprintf("type %q", flag), kind(flag), refusal.BadEntryType})
	}
	return cases
}

// place returns the offset of an entry's header.
func place(t testing.TB, i int) int {
	return len(pack(smallEntries(t)[:i]...)) - 1024
}

// changed overwrites a byte of a header without correcting the checksum.
func changed(t testing.TB, i, at int, to byte) []byte {
	raw := smallArchive(t)
	raw[place(t, i)+at] = to
	return raw
}

// changedAfter sets the last byte of an entry's padding.
func changedAfter(t testing.TB, i int) []byte {
	raw := smallArchive(t)
	raw[place(t, i+1)-1] = 1
	return raw
}

// hostileManifests are signed: the index has the digest of a manifest that disagrees with the index.
func hostileManifests(t testing.TB) []archiveCase {
	manifest := func(change func(*nxb.Manifest)) []byte {
		made := small()
		m, err := nxb.ParseManifest(made[0].Manifest)
		if err != nil {
			t.Fatal(err)
		}
		change(&m)
		if made[0].Manifest, err = m.Encode(); err != nil {
			t.Fatal(err)
		}
		made[0].Entry.ManifestSHA256 = nxs.Sum(made[0].Manifest)
		return updatestest.Archive(t, updatestest.Key(1), "1.1.0", made...)
	}
	index := func(change func(*nxs.Entry)) []byte {
		made := small()
		change(&made[0].Entry)
		return pack(entriesOf(t, mustEncode(t, updatestest.Index(updatestest.Key(1), "1.1.0", made...)), made...)...)
	}
	return []archiveCase{
		{"manifest of another name", manifest(func(m *nxb.Manifest) { m.Name = "alpha" }), refusal.NameMismatch},
		{"manifest of another version", manifest(func(m *nxb.Manifest) { m.Version = "1.1.0+other" }),
			refusal.VersionMismatch},
		{"manifest with another payload digest", manifest(func(m *nxb.Manifest) { m.PayloadDigest = make([]byte, 32) }),
			refusal.DigestMismatch},
		{"manifest with another payload size", manifest(func(m *nxb.Manifest) { m.PayloadSize++ }),
			refusal.SizeMismatch},
		{"manifest of version 1.0", manifest(func(m *nxb.Manifest) { m.PayloadDigest, m.PayloadSize = nil, 99 }), ""},
		{"manifest that breaks its rules", manifest(func(m *nxb.Manifest) { m.MinSDK = "any" }), refusal.BadVersion},
		{"index of another name", index(func(e *nxs.Entry) { e.Name = "alpha.apq" }), refusal.NameMismatch},
		{"index of another version", index(func(e *nxs.Entry) { e.Version = "1.1.1" }), refusal.VersionMismatch},
		{"index of another manifest", index(func(e *nxs.Entry) { e.ManifestSHA256[0] ^= 1 }), refusal.DigestMismatch},
		{"index of another payload", index(func(e *nxs.Entry) { e.PayloadSHA256[0] ^= 1 }), refusal.DigestMismatch},
		{"index of another size", index(func(e *nxs.Entry) { e.PayloadSize++ }), refusal.SizeMismatch},
	}
}

func mustEncode(t testing.TB, x nxs.Index) []byte {
	t.Helper()
	raw, err := x.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRejectHostileArchive(t *testing.T) {
	for _, c := range hostileArchives(t) {
		_, err := read(c.raw)
		if got := refusal.Of(err); got != c.want {
			t.Errorf("%s: got %q (%v), want %q", c.name, got, err, c.want)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\x1b\x00") {
			t.Errorf("%s: the text is not one plain line: %q", c.name, err)
		}
	}
}
