package roots_test

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// rotated is version 2 with other keys for the role root: two of 3, 7 and 8.
func rotated() roots.Root {
	return following(func(r *roots.Root) {
		r.Keys = named(1, 2, 3, 4, 5, 6, 7, 8)
		r.Grants[0].Keys = pubs(3, 7, 8)
	})
}

// Who must sign the next root, one row for each way to sign it. Root 1 asks for two of 1, 2 and 3.
func TestNext(t *testing.T) {
	lowered := following(func(r *roots.Root) { r.Grants[0].Threshold = 1 })
	raised := following(func(r *roots.Root) { r.Grants[0].Threshold = 3 })
	lost := following(func(r *roots.Root) { // key 2 is lost, and revoked
		r.Keys = named(1, 3, 4, 5, 6, 7)
		r.Grants[0].Keys, r.RevokedKeys = pubs(1, 3, 7), pubs(2)
	})
	cases := []struct {
		name string
		next roots.Root
		by   []byte
		want refusal.Reason
	}{
		{"two keys of both", following(nil), []byte{1, 2}, ""},
		{"all keys of both", following(nil), []byte{1, 2, 3}, ""},
		{"nobody", following(nil), nil, refusal.Unsigned},
		{"one key", following(nil), []byte{1}, refusal.ThresholdNotMet},
		{"one key and strangers", following(nil), []byte{1, 20, 21, 22}, refusal.ThresholdNotMet},
		{"one key and keys of another role", following(nil), []byte{1, 4, 5, 6}, refusal.ThresholdNotMet},
		{"keys of another role", following(nil), []byte{4, 5, 6}, refusal.ThresholdNotMet},

		{"rotated, by both", rotated(), []byte{1, 3, 7}, ""},
		{"rotated, by the old ones only", rotated(), []byte{1, 2, 3}, refusal.ThresholdNotMet},
		{"rotated, by the new ones only", rotated(), []byte{3, 7, 8}, refusal.ThresholdNotMet},
		{"rotated, one short of the old", rotated(), []byte{3, 7}, refusal.ThresholdNotMet},
		{"rotated, one short of the new", rotated(), []byte{1, 3}, refusal.ThresholdNotMet},

		{"the old threshold is higher", lowered, []byte{1}, refusal.ThresholdNotMet},
		{"the old threshold is higher, and met", lowered, []byte{1, 2}, ""},
		{"the new threshold is higher", raised, []byte{1, 2}, refusal.ThresholdNotMet},
		{"the new threshold is higher, and met", raised, []byte{1, 2, 3}, ""},

		{"a lost key, without it", lost, []byte{1, 3}, ""},
		{"a lost key, with it, by the old root", lost, []byte{1, 2, 7}, ""},
		{"a revoked key does not count for the new root", lost, []byte{1, 2}, refusal.ThresholdNotMet},

		{"the same version again", but(good(), func(r *roots.Root) { r.Issued++ }), []byte{1, 2}, refusal.RootVersion},
		{"a version left out", following(func(r *roots.Root) { r.Version = 3 }), []byte{1, 2}, refusal.RootVersion},
		{"the highest version", following(func(r *roots.Root) { r.Version = 1<<64 - 1 }), []byte{1, 2},
			refusal.RootVersion},
		{"another family", following(func(r *roots.Root) { r.Family = "other" }), []byte{1, 2}, refusal.WrongFamily},
		{"another family, and not signed", following(func(r *roots.Root) { r.Family = "other" }), []byte{1},
			refusal.ThresholdNotMet},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := good().Next(signed(t, c.next, c.by...))
			wantReason(t, err, c.want)
			if err == nil && !equal(t, got, c.next) {
				t.Error("the next root is another one than was signed")
			}
		})
	}
}

// Not a byte of a document is interpreted before the root before it was asked who signed: what strangers sign is
// refused as such, however malformed, and the same bytes get the exact reason once the right keys sign them.
func TestNothingIsParsedBeforeItIsVerified(t *testing.T) {
	well := document(t, following(nil))
	for name, c := range map[string]struct {
		raw  []byte
		want refusal.Reason
	}{
		"nothing":      {nil, refusal.BadRoot},
		"zeros":        {make([]byte, 100), refusal.BadRoot},
		"text":         {[]byte("nexus-root-doc-1 and then text"), refusal.BadRoot},
		"cut":          {well[:len(well)-8], refusal.BadRoot},
		"of an index":  {well[16:], refusal.BadRoot},
		"too large":    {append(well, make([]byte, roots.MaxDocument)...), refusal.BadRoot},
		"later schema": {slices.Concat(well[:32], []byte{3}, well[33:]), refusal.BadSchemaVersion},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := good().Next(signedRaw(t, 2, c.raw, 4, 5, 20))
			wantReason(t, err, refusal.ThresholdNotMet)
			_, err = good().Next(signedRaw(t, 2, c.raw, 1, 2))
			wantReason(t, err, c.want)
			s := signedRaw(t, 2, c.raw, 1, 2)
			_, err = s.Pinned(roots.Digest{})
			wantReason(t, err, refusal.RootNotPinned)
			_, err = s.Pinned(s.Digest())
			wantReason(t, err, c.want)
		})
	}
}

// The version beside a document only says which root to skip, and where one is missing.
func TestRejectFileThatLiesAboutItsVersion(t *testing.T) {
	s := signed(t, following(nil), 1, 2)
	s.Version = 9
	_, err := good().Next(s)
	wantReason(t, err, refusal.RootVersion)
	for _, version := range []uint64{1, 3} {
		s = signed(t, following(func(r *roots.Root) { r.Version = version }), 1, 2)
		s.Version = 2
		_, err = begun(t, good(), 1, 2).Update([]roots.Signed{s}, roots.Clock{})
		wantReason(t, err, refusal.BadRoot)
	}
}

func TestRejectRevivedKey(t *testing.T) {
	with := but(good(), func(r *roots.Root) { r.RevokedKeys = pubs(9, 10) })
	_, err := with.Next(signed(t, following(func(r *roots.Root) { r.RevokedKeys = pubs(9) }), 1, 2))
	wantReason(t, err, refusal.BadRoot)
	_, err = with.Next(signed(t, following(func(r *roots.Root) { r.RevokedKeys = pubs(9, 10, 11) }), 1, 2))
	wantReason(t, err, "")
}

// A chain of many roots, each with other keys than the one before.
func chainOf(t testing.TB, n int) []roots.Signed {
	t.Helper()
	var chain []roots.Signed
	for i := range n {
		r := following(func(r *roots.Root) {
			r.Version = uint64(i + 1)
			r.Keys = named(byte(i+100), 4, 5, 6, byte(i+101))
			r.Grants[0] = roots.Grant{Role: trust.RoleRoot, Threshold: 1, Keys: pubs(byte(i + 101))}
		})
		chain = append(chain, signed(t, r, byte(i+100), byte(i+101)))
	}
	return chain
}

func TestWalk(t *testing.T) {
	chain := chainOf(t, 9)
	at := func(n int) roots.State {
		state, err := roots.Begin(chain[:n], chain[n-1].Digest(), roots.Clock{})
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	for _, c := range []struct {
		name  string
		from  int
		chain []roots.Signed
		to    uint64
		want  refusal.Reason
	}{
		{"the whole chain", 1, chain, 9, ""},
		{"what is missing", 3, chain[3:], 9, ""},
		{"one step", 3, chain[3:4], 4, ""},
		{"nothing new", 5, chain[:5], 5, ""},
		{"only older ones", 5, chain[:2], 5, ""},
		{"nothing", 5, nil, 5, ""},
		{"a gap at the start", 3, chain[4:], 0, refusal.RootVersion},
		{"a gap within", 3, slices.Concat(chain[3:5], chain[6:]), 0, refusal.RootVersion},
		{"in the wrong order", 3, []roots.Signed{chain[4], chain[3]}, 0, refusal.RootVersion},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := at(c.from)
			got, err := before.Update(c.chain, roots.Clock{})
			wantReason(t, err, c.want)
			if got.Root.Version != c.to {
				t.Errorf("the walk ends at root %d, want %d", got.Root.Version, c.to)
			}
			if before.Root.Version != uint64(c.from) {
				t.Error("the walk changed the state that it began with")
			}
		})
	}
}

// A gap is refused as one, whoever signed what comes after it, and the refusal says which root is missing.
func TestRejectGap(t *testing.T) {
	for _, by := range [][]byte{{1, 2}, {7, 8}, nil} {
		third := signed(t, following(func(r *roots.Root) { r.Version = 3 }), by...)
		_, err := begun(t, good(), 1, 2).Update([]roots.Signed{third}, roots.Clock{})
		wantReason(t, err, refusal.RootVersion)
		if got, want := err.Error(), "root 3 does not succeed root 1: root 2 is missing"; got != want {
			t.Errorf("signed by %v: it is refused as %q, want %q", by, got, want)
		}
	}
}

// Two roots of one version: whoever comes second is refused, whether or not it is signed.
func TestRejectFork(t *testing.T) {
	state, err := begun(t, good(), 1, 2).Update([]roots.Signed{signed(t, following(nil), 1, 2)}, roots.Clock{})
	wantReason(t, err, "")
	fork := signed(t, following(func(r *roots.Root) { r.Issued++ }), 1, 2)
	_, err = state.Update([]roots.Signed{fork}, roots.Clock{})
	wantReason(t, err, refusal.RootVersion)
	more := signed(t, following(nil), 1, 2, 3) // the same document with one more signature is the same root
	_, err = state.Update([]roots.Signed{more}, roots.Clock{})
	wantReason(t, err, "")
}

func TestBegin(t *testing.T) {
	one, two := signed(t, good(), 1, 2), signed(t, following(nil), 1, 2)
	short := signed(t, good(), 1)
	late := roots.Clock{Wall: 2 * issued}
	for _, c := range []struct {
		name  string
		chain []roots.Signed
		pin   roots.Digest
		clock roots.Clock
		to    uint64
		want  refusal.Reason
	}{
		{"the first", []roots.Signed{one}, one.Digest(), roots.Clock{}, 1, ""},
		{"the first, and on", []roots.Signed{one, two}, one.Digest(), roots.Clock{}, 2, ""},
		{"from the middle", []roots.Signed{one, two}, two.Digest(), roots.Clock{}, 2, ""},
		{"another one", []roots.Signed{one}, two.Digest(), roots.Clock{}, 0, refusal.RootNotPinned},
		{"no pin", []roots.Signed{one}, roots.Digest{}, roots.Clock{}, 0, refusal.RootNotPinned},
		{"nothing", nil, one.Digest(), roots.Clock{}, 0, refusal.RootNotPinned},
		{"not signed as it asks", []roots.Signed{short}, short.Digest(), roots.Clock{}, 0, refusal.ThresholdNotMet},
		{"past its time", []roots.Signed{one}, one.Digest(), late, 0, refusal.Expired},
		{"followed by one past its time", []roots.Signed{one, two}, one.Digest(), late, 0, refusal.Expired},
	} {
		t.Run(c.name, func(t *testing.T) {
			state, err := roots.Begin(c.chain, c.pin, c.clock)
			wantReason(t, err, c.want)
			if err == nil && state.Root.Version != c.to {
				t.Errorf("the device begins at root %d, want %d", state.Root.Version, c.to)
			}
		})
	}
}

// A signature of a root is not one of an index with the same message, and the other way round.
func TestSignaturesAreOfOneKind(t *testing.T) {
	raw := document(t, following(nil))
	index := sign(t, 4, raw[16:])
	if pub(4).Signed(raw, index.Bytes[:]) {
		t.Error("the signature of an index is one of a root")
	}
	if sha256.Sum256(raw) != roots.Signed(roots.Signed{Document: raw}).Digest() {
		t.Error("the digest of a root is not that of the bytes that are signed")
	}
}

// Two devices that go on from one state to different roots do not share what came before.
func TestStatesAreApart(t *testing.T) {
	chain := chainOf(t, 4)
	base, err := roots.Begin(chain[:3], chain[0].Digest(), roots.Clock{})
	wantReason(t, err, "")
	other := chainOf(t, 4)[3]
	one, err := base.Update(chain[3:], roots.Clock{})
	wantReason(t, err, "")
	before := one.Encode()
	_, err = base.Update([]roots.Signed{other}, roots.Clock{})
	if wantReason(t, err, ""); !bytes.Equal(one.Encode(), before) || base.Root.Version != 3 {
		t.Error("a state changed with another one")
	}
}
