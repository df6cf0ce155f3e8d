package roots_test

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"slices"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

func signer(n byte) trust.Signer { return trust.NewSigner([32]byte(bytes.Repeat([]byte{n}, 32))) }

func pub(n byte) trust.PublicKey { return signer(n).Public() }

// pubs are keys in ascending order, as a root lists them.
func pubs(numbers ...byte) (keys []trust.PublicKey) {
	for _, n := range numbers {
		keys = append(keys, pub(n))
	}
	slices.SortFunc(keys, func(a, b trust.PublicKey) int { return bytes.Compare(a[:], b[:]) })
	return keys
}

func named(numbers ...byte) (keys []roots.Key) {
	for _, key := range pubs(numbers...) {
		keys = append(keys, roots.Key{Public: key})
	}
	return keys
}

// The keys of the root that the tables begin with: 1 to 3 sign roots, 4 to 6 sign sets.
const issued = 1_000_000

// good is version 1 of the chain: two of three keys sign roots, and two of three sign sets.
func good() roots.Root {
	return roots.Root{
		Version: 1, Family: "demo", Issued: issued, Expires: 2 * issued,
		Keys: named(1, 2, 3, 4, 5, 6),
		Grants: []roots.Grant{
			{Role: trust.RoleRoot, Threshold: 2, Keys: pubs(1, 2, 3)},
			{Role: trust.RoleSystem, Threshold: 2, Keys: pubs(4, 5, 6)},
		},
	}
}

// but is a root with changes.
func but(r roots.Root, change func(*roots.Root)) roots.Root {
	r.Keys, r.Grants = slices.Clone(r.Keys), slices.Clone(r.Grants)
	change(&r)
	return r
}

// following is good as the next version, with changes.
func following(change func(*roots.Root)) roots.Root {
	return but(good(), func(r *roots.Root) {
		r.Version = 2
		if change != nil {
			change(r)
		}
	})
}

func document(t testing.TB, r roots.Root) []byte {
	t.Helper()
	raw, err := r.Document()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// signed is a root with the signatures of these keys.
func signed(t testing.TB, r roots.Root, by ...byte) roots.Signed {
	t.Helper()
	return signedRaw(t, r.Version, document(t, r), by...)
}

func signedRaw(t testing.TB, version uint64, document []byte, by ...byte) roots.Signed {
	t.Helper()
	s := roots.Signed{Version: version, Document: document}
	for _, n := range by {
		s.Signatures = append(s.Signatures, sign(t, n, document))
	}
	slices.SortFunc(s.Signatures, func(a, b trust.Signature) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return s
}

func sign(t testing.TB, n byte, message []byte) trust.Signature {
	t.Helper()
	raw, err := signer(n).Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	return trust.Signature{Key: pub(n), Bytes: [ed25519.SignatureSize]byte(raw)}
}

func begun(t testing.TB, r roots.Root, by ...byte) roots.State {
	t.Helper()
	s := signed(t, r, by...)
	state, err := roots.Begin([]roots.Signed{s}, s.Digest(), roots.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func wantReason(t testing.TB, err error, want refusal.Reason) {
	t.Helper()
	if got := refusal.Of(err); got != want {
		t.Fatalf("got reason %q (%v), want %q", got, err, want)
	}
}

// equal compares what is stored of two roots.
func equal(t testing.TB, a, b roots.Root) bool {
	t.Helper()
	return bytes.Equal(document(t, a), document(t, b))
}

func TestDocumentReadsBack(t *testing.T) {
	whole := but(good(), func(r *roots.Root) {
		r.Keys[0].Name = "the safe in the cellar"
		r.Grants = append(r.Grants,
			roots.Grant{Role: trust.RoleApps, Threshold: 1, Keys: pubs(6), Names: []string{"camera.*", "map"},
				Expires: 5e6},
			roots.Grant{Role: trust.RoleApps, Threshold: 1, Keys: pubs(5), Names: []string{"radio"}},
			roots.Grant{Role: trust.RoleChannel, Threshold: 1, Keys: pubs(5)})
		r.RevokedKeys = pubs(9, 10)
		r.RevokedSets = []roots.Digest{{1}, {2}}
		r.Minimums = []roots.Minimum{{"", "1.2.0"}, {"map", "2.0.0-rc.1"}}
		r.ResetsTime = true
	})
	for _, r := range []roots.Root{good(), whole} {
		raw := document(t, r)
		got, err := roots.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if !equal(t, got, r) || cmp.Compare(got.Version, r.Version) != 0 || got.ResetsTime != r.ResetsTime ||
			len(got.Grants) != len(r.Grants) || len(got.RevokedSets) != len(r.RevokedSets) {
			t.Fatalf("%+v reads back as %+v", r, got)
		}
	}
	if got := whole.Name(whole.Keys[0].Public); got != "the safe in the cellar" {
		t.Errorf("the name of the key is %q", got)
	}
}

// A root of 2026 must be readable, and verify, for as long as devices live.
func TestDocumentKeepsItsBytes(t *testing.T) {
	const want = "75fa2194a7a9f327ebd15c30299fe2d77353a1280b20126cc8e12be487c8c734"
	if got := signed(t, good()).Digest().String(); got != want {
		t.Errorf("the document of an unchanged root has digest %s, want %s", got, want)
	}
}

func TestFileReadsBack(t *testing.T) {
	one, two := signed(t, good(), 1, 2), signed(t, following(nil), 3, 2, 1)
	none := signed(t, good())
	chain, err := roots.Split(slices.Concat(one.Encode(), two.Encode(), none.Encode()))
	if err != nil || len(chain) != 3 {
		t.Fatalf("got %d roots, %v", len(chain), err)
	}
	for i, want := range []roots.Signed{one, two, none} {
		if !bytes.Equal(chain[i].Encode(), want.Encode()) || chain[i].Digest() != want.Digest() {
			t.Errorf("root %d of the file reads back differently", i)
		}
	}
}

func TestStateReadsBack(t *testing.T) {
	state := begun(t, good(), 1, 2).Saw(1_234_567)
	got, err := roots.Load(state.Encode())
	if err != nil || got.Seen != 1_234_567 || got.Signed.Digest() != state.Signed.Digest() ||
		!equal(t, got.Root, good()) {
		t.Fatalf("got %+v, %v", got, err)
	}
	raw := state.Encode()
	for n := range len(raw) {
		if _, err := roots.Load(raw[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes are taken for a state", n, len(raw))
		}
	}
	_, err = roots.Load(slices.Concat(raw, signed(t, good(), 1, 2).Encode()))
	wantReason(t, err, refusal.RootVersion)
	for at := 16 + 24; at < len(raw); at += 7 { // behind what is not signed
		bent := bytes.Clone(raw)
		bent[at] ^= 1
		if _, err := roots.Load(bent); err == nil {
			t.Fatalf("a flipped bit in byte %d is not noticed", at)
		}
	}
}
