package roots_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// Every rule of a document by itself: the packer refuses to make such a root, and a device to parse it.
func TestRejectBadRoot(t *testing.T) {
	grant := func(at int, change func(*roots.Grant)) func(*roots.Root) {
		return func(r *roots.Root) { change(&r.Grants[at]) }
	}
	apps := func(grants ...roots.Grant) func(*roots.Root) {
		return func(r *roots.Root) {
			for _, g := range grants {
				g.Role, g.Threshold, g.Keys = trust.RoleApps, 1, pubs(4)
				r.Grants = append(r.Grants, g)
			}
		}
	}
	names := func(n ...string) roots.Grant { return roots.Grant{Names: n} }
	many := func(n int) (keys []trust.PublicKey) {
		for i := range n {
			keys = append(keys, trust.PublicKey{byte(i >> 8), byte(i)})
		}
		return keys
	}
	cases := []struct {
		name   string
		change func(*roots.Root)
		want   refusal.Reason
	}{
		{"nothing wrong", func(*roots.Root) {}, ""},
		{"no limit of time", func(r *roots.Root) { r.Expires = 0 }, ""},
		{"version 0", func(r *roots.Root) { r.Version = 0 }, refusal.BadRoot},
		{"no family", func(r *roots.Root) { r.Family = "" }, refusal.BadRoot},
		{"a family that is a path", func(r *roots.Root) { r.Family = "../demo" }, refusal.BadRoot},
		{"never issued", func(r *roots.Root) { r.Issued = 0 }, refusal.BadRoot},
		{"expires when it is issued", func(r *roots.Root) { r.Expires = r.Issued }, refusal.BadRoot},
		{"expires before it is issued", func(r *roots.Root) { r.Expires = r.Issued - 1 }, refusal.BadRoot},

		{"no keys", func(r *roots.Root) { r.Keys = nil }, refusal.BadRoot},
		{"too many keys", func(r *roots.Root) { r.Keys = make([]roots.Key, 65) }, refusal.BadRoot},
		{"a key twice", func(r *roots.Root) { r.Keys = append(r.Keys, r.Keys[5]) }, refusal.BadRoot},
		{"keys out of order", func(r *roots.Root) { slices.Reverse(r.Keys) }, refusal.BadRoot},
		{"a key under which everybody signs", func(r *roots.Root) { r.Keys[0].Public = trust.PublicKey{1} },
			refusal.BadKey},
		{"a key of zeros", func(r *roots.Root) { r.Keys[0].Public = trust.PublicKey{} }, refusal.BadKey},
		{"a key beside the curve", func(r *roots.Root) { r.Keys[0].Public = trust.PublicKey{2} }, refusal.BadKey},
		{"a long name", func(r *roots.Root) { r.Keys[0].Name = strings.Repeat("n", 65) }, refusal.BadRoot},
		{"a name that moves the cursor", func(r *roots.Root) { r.Keys[0].Name = "a\x1b[2J" }, refusal.BadRoot},
		{"a name of two lines", func(r *roots.Root) { r.Keys[0].Name = "a\nb" }, refusal.BadRoot},

		{"nobody signs roots", func(r *roots.Root) { r.Grants = r.Grants[1:] }, refusal.LocksOut},
		{"nobody signs sets", func(r *roots.Root) { r.Grants = r.Grants[:1] }, refusal.LocksOut},
		{"no grant at all", func(r *roots.Root) { r.Grants = nil }, refusal.LocksOut},
		{"a role without keys", grant(1, func(g *roots.Grant) { g.Keys = nil }), refusal.LocksOut},
		{"a threshold above the number of keys", grant(0, func(g *roots.Grant) { g.Threshold = 4 }), refusal.LocksOut},
		{"a threshold of 0", grant(0, func(g *roots.Grant) { g.Threshold = 0 }), refusal.BadRoot},
		{"a role that does not exist", grant(1, func(g *roots.Grant) { g.Role = "everything" }), refusal.BadRoot},
		{"two grants for the role root", func(r *roots.Root) { r.Grants = append(r.Grants, r.Grants[0]) },
			refusal.BadRoot},
		{"the same key twice in a role", grant(0, func(g *roots.Grant) { g.Keys = []trust.PublicKey{pub(1), pub(1)} }),
			refusal.BadRoot},
		{"keys of a role out of order", func(r *roots.Root) {
			r.Grants[0].Keys = slices.Clone(r.Grants[0].Keys)
			slices.Reverse(r.Grants[0].Keys)
		}, refusal.BadRoot},
		{"a role for a key that is not listed", grant(0, func(g *roots.Grant) { g.Keys = pubs(1, 2, 7) }),
			refusal.BadRoot},
		{"a role for a revoked key", func(r *roots.Root) { r.RevokedKeys = pubs(1) }, refusal.BadRoot},
		{"the role root for some names", grant(0, func(g *roots.Grant) { g.Names = []string{"map"} }), refusal.BadRoot},
		{"the role root for some time", grant(0, func(g *roots.Grant) { g.Expires = 3 * issued }), refusal.BadRoot},
		{"a grant that has expired when the root is issued", grant(1, func(g *roots.Grant) { g.Expires = issued }),
			refusal.BadRoot},
		{"too many grants", func(r *roots.Root) {
			for i := range 63 {
				apps(names(fmt.Sprint("app", i)))(r)
			}
		}, refusal.BadRoot},

		{"names apart", apps(names("camera.*", "map"), names("radio")), ""},
		{"a name twice", apps(names("map"), names("map")), refusal.BadRoot},
		{"a name and its beginning", apps(names("camera.*"), names("camera.front")), refusal.BadRoot},
		{"a beginning and a longer one", apps(names("cam*"), names("camera.*")), refusal.BadRoot},
		{"a beginning that is a name", apps(names("map*"), names("map")), refusal.BadRoot},
		{"everything and a name", apps(names(), names("map")), refusal.BadRoot},
		{"a star alone", apps(names("*")), refusal.BadRoot},
		{"a star in the middle", apps(names("ca*ra")), refusal.BadRoot},
		{"two stars", apps(names("ca**")), refusal.BadRoot},
		{"a name that is a path", apps(names("../map")), refusal.BadRoot},
		{"an empty name", apps(names("")), refusal.BadRoot},
		{"too many names", apps(names(slices.Repeat([]string{"map"}, 65)...)), refusal.BadRoot},

		{"revoked keys out of order", func(r *roots.Root) { r.RevokedKeys = append(pubs(8), pubs(8)...) },
			refusal.BadRoot},
		{"too many revoked keys", func(r *roots.Root) { r.RevokedKeys = many(257) }, refusal.BadRoot},
		{"revoked sets out of order", func(r *roots.Root) { r.RevokedSets = []roots.Digest{{2}, {1}} },
			refusal.BadRoot},
		{"too many revoked sets", func(r *roots.Root) { r.RevokedSets = make([]roots.Digest, 1025) }, refusal.BadRoot},
		{"a minimum version that is none", func(r *roots.Root) { r.Minimums = []roots.Minimum{{"", "1.2"}} },
			refusal.BadRoot},
		{"a minimum version of a path", func(r *roots.Root) { r.Minimums = []roots.Minimum{{"a/b", "1.2.0"}} },
			refusal.BadRoot},
		{"minimum versions out of order", func(r *roots.Root) {
			r.Minimums = []roots.Minimum{{"map", "1.0.0"}, {"map", "2.0.0"}}
		}, refusal.BadRoot},
		{"too many minimum versions", func(r *roots.Root) { r.Minimums = make([]roots.Minimum, 65) }, refusal.BadRoot},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := but(good(), c.change)
			raw, err := r.Document()
			wantReason(t, err, c.want)
			if err != nil && raw != nil {
				t.Error("a refused root came with a document")
			}
			if err == nil {
				_, err = roots.Parse(raw)
				wantReason(t, err, "")
			}
		})
	}
}

// What Document would not make, but others can: a device refuses it by the same rules.
func TestParseRefuses(t *testing.T) {
	raw := document(t, good())
	const tag, frame = 16, 8
	body := raw[tag:]
	with := func(change func(b []byte)) []byte {
		b := bytes.Clone(raw)
		change(b[tag+frame:])
		return b
	}
	// In canonical form the data section follows the root pointer: schemaVersion xor its default, version, issued,
	// expires.
	cases := []struct {
		name string
		raw  []byte
		want refusal.Reason
	}{
		{"the good one", raw, ""},
		{"nothing", nil, refusal.BadRoot},
		{"a message without the tag", body, refusal.BadRoot},
		{"the tag alone", raw[:tag], refusal.BadRoot},
		{"a byte short", raw[:len(raw)-1], refusal.BadRoot},
		{"a word short", raw[:len(raw)-8], refusal.BadRoot},
		{"a word long", append(bytes.Clone(raw), make([]byte, 8)...), refusal.BadRoot},
		{"too large", append(bytes.Clone(raw), make([]byte, roots.MaxDocument)...), refusal.BadRoot},
		{"no root", append(bytes.Clone(raw[:tag]), 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), refusal.BadRoot},
		{"another schema version", with(func(b []byte) { b[8] ^= 3 }), refusal.BadSchemaVersion},
		{"version 0", with(func(b []byte) { binary.LittleEndian.PutUint64(b[16:], 0) }), refusal.BadRoot},
		{"expires before it is issued", with(func(b []byte) { binary.LittleEndian.PutUint64(b[32:], 1) }),
			refusal.BadRoot},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := roots.Parse(c.raw)
			wantReason(t, err, c.want)
		})
	}
}

func TestSplitRefuses(t *testing.T) {
	one := signed(t, good(), 1, 2).Encode()
	with := func(at int, value uint32) []byte {
		b := bytes.Clone(one)
		binary.LittleEndian.PutUint32(b[at:], value)
		return b
	}
	swapped := bytes.Clone(one)
	copy(swapped[24:], one[24+96:24+192])
	copy(swapped[24+96:], one[24:24+96])
	cases := []struct {
		name string
		raw  []byte
		want refusal.Reason
	}{
		{"nothing", nil, refusal.BadRoot},
		{"another file", []byte("system.nxsindex"), refusal.BadRoot},
		{"the header alone", one[:24], refusal.BadRoot},
		{"half a header", one[:20], refusal.BadRoot},
		{"a byte short", one[:len(one)-1], refusal.BadRoot},
		{"a byte long", append(bytes.Clone(one), 0), refusal.BadRoot},
		{"a document of 4 GiB", with(16, 1<<32-1), refusal.BadRoot},
		{"a document over the limit", with(16, roots.MaxDocument+1), refusal.BadRoot},
		{"a million signatures", with(20, 1e6), refusal.TooManySignatures},
		{"4 billion signatures", with(20, 1<<32-1), refusal.TooManySignatures},
		{"more signatures than there are", with(20, 64), refusal.BadRoot},
		{"signatures out of order", swapped, refusal.BadSignatures},
		{"a chain over the limit", make([]byte, roots.MaxChain+1), refusal.BadRoot},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			chain, err := roots.Split(c.raw)
			wantReason(t, err, c.want)
			if chain != nil {
				t.Errorf("a refusal came with %d roots", len(chain))
			}
		})
	}
}
