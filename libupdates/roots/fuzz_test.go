package roots_test

import (
	"bytes"
	"slices"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// FuzzDocument: any bytes are refused, or are a root that keeps the rules, and whose own form reads back the same.
func FuzzDocument(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("nexus-root-doc-1"))
	f.Add(document(f, good()))
	f.Add(document(f, following(func(r *roots.Root) {
		r.RevokedKeys, r.RevokedSets = pubs(9), []roots.Digest{{1}}
		r.Minimums = []roots.Minimum{{"map", "1.0.0"}}
		r.Grants = append(r.Grants, roots.Grant{Role: trust.RoleApps, Threshold: 1, Keys: pubs(4),
			Names: []string{"a.*"}})
	})))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := roots.Parse(raw)
		if err != nil {
			known := []refusal.Reason{refusal.BadRoot, refusal.BadKey, refusal.LocksOut, refusal.BadSchemaVersion}
			if !slices.Contains(known, refusal.Of(err)) {
				t.Fatalf("refused as %q: %v", refusal.Of(err), err)
			}
			return
		}
		canonical, err := r.Document()
		if err != nil {
			t.Fatalf("a root that was accepted cannot be made: %v", err)
		}
		again, err := roots.Parse(canonical)
		if err != nil {
			t.Fatal(err)
		}
		if once, err := again.Document(); err != nil || !bytes.Equal(once, canonical) {
			t.Fatalf("the form of a root is not stable: %v", err)
		}
	})
}

// FuzzChain: whatever file a device is given, it stays where it is, or moves to roots that its owner signed.
func FuzzChain(f *testing.F) {
	one, two := signed(f, good(), 1, 2), signed(f, following(nil), 1, 2)
	three := signed(f, following(func(r *roots.Root) { r.Version = 3 }), 1, 3)
	short := signed(f, following(nil), 1)
	for _, chain := range [][]roots.Signed{{one}, {two}, {one, two, three}, {two, three}, {short}, {three, two}} {
		var raw []byte
		for _, s := range chain {
			raw = append(raw, s.Encode()...)
		}
		f.Add(raw)
	}
	f.Add([]byte("nxroot1\n"))
	start := begun(f, good(), 1, 2)
	owners := []roots.Digest{one.Digest(), two.Digest(), three.Digest()}
	f.Fuzz(func(t *testing.T, raw []byte) {
		chain, err := roots.Split(raw)
		if err != nil {
			return
		}
		if joined := join(chain); !bytes.Equal(joined, raw) {
			t.Fatalf("the file reads back as %x", joined)
		}
		state, err := start.Update(chain, roots.Clock{})
		if err == nil && !slices.Contains(owners, state.Signed.Digest()) {
			t.Fatalf("the device has moved to root %d, %s", state.Root.Version, state.Signed.Digest())
		}
	})
}

func join(chain []roots.Signed) (raw []byte) {
	for _, s := range chain {
		raw = append(raw, s.Encode()...)
	}
	return raw
}

// FuzzState: any bytes are refused, or are a state that stores as it was.
func FuzzState(f *testing.F) {
	f.Add(begun(f, good(), 1, 2).Encode())
	f.Add([]byte("nxtrust1"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		state, err := roots.Load(raw)
		if err == nil && !bytes.Equal(state.Encode(), raw) {
			t.Fatal("a state stores differently")
		}
	})
}
