package keystored

import (
	"crypto/ed25519"
	"testing"

	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// stateAt is a device's state at a version of a root whose one key does everything.
func stateAt(t *testing.T, version uint64) roots.State {
	t.Helper()
	key := updatestest.Key(1)
	var chain []roots.Signed
	for v := range version {
		r := roots.Root{Version: v + 1, Family: "demo", Issued: 1, Keys: []roots.Key{{Public: key.Public()}}}
		for _, role := range []trust.Role{trust.RoleRoot, trust.RoleSystem} {
			r.Grants = append(r.Grants, roots.Grant{Role: role, Threshold: 1, Keys: []trust.PublicKey{key.Public()}})
		}
		document, err := r.Document()
		if err != nil {
			t.Fatal(err)
		}
		signature, err := key.Sign(document)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, roots.Signed{Version: v + 1, Document: document, Signatures: []trust.Signature{
			{Key: key.Public(), Bytes: [ed25519.SignatureSize]byte(signature)}}})
	}
	state, err := roots.Begin(chain, chain[0].Digest(), roots.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// Where a store was cut off between the copies, the later one counts, whichever it is, and the copies are stored again.
func TestLaterCopyCounts(t *testing.T) {
	old, next := stateAt(t, 1), stateAt(t, 2)
	for _, order := range [][2]roots.State{{old, next}, {next, old}, {old.Saw(9), next.Saw(5)}} {
		disk := durabletest.New()
		for i, name := range copies() {
			if err := durable.WriteFile(disk, name, order[i].Encode()); err != nil {
				t.Fatal(err)
			}
		}
		found, mend, err := store{disk}.load()
		if err != nil || mend == nil || found.Root.Version != 2 {
			t.Fatalf("got %+v, %v, %v", found, mend, err)
		}
		if err := (store{disk}).keep(*found); err != nil {
			t.Fatal(err)
		}
		if _, mend, err := (store{disk}).load(); mend != nil || err != nil {
			t.Errorf("after it was stored again: %v, %v", mend, err)
		}
	}
	if found, mend, err := (store{durabletest.New()}).load(); found != nil || mend != nil || err != nil {
		t.Errorf("without a root: %v, %v, %v", found, mend, err)
	}
}

// A power cut at any step of a store leaves the old root or the new one, and after the store it is the new one.
func TestCutsOfAStore(t *testing.T) {
	old, next := stateAt(t, 1), stateAt(t, 2)
	whole := durabletest.New()
	if err := (store{whole}).keep(old); err != nil {
		t.Fatal(err)
	}
	before := whole.Clone()
	if err := (store{whole}).keep(next); err != nil {
		t.Fatal(err)
	}
	steps := len(whole.Ops()) - len(before.Ops())
	seen := map[uint64]int{}
	for n := range steps + 1 {
		for _, outcome := range durabletest.Outcomes() {
			disk := before.Clone()
			disk.CutAfter(n)
			_ = (store{disk}).keep(next) // it may fail, by the cut
			found, _, err := store{disk.Reboot(outcome)}.load()
			if err != nil || found == nil {
				t.Fatalf("cut after step %d, %s: %v, %v", n, outcome.Name, found, err)
			}
			seen[found.Root.Version]++
			if n == steps && found.Root.Version != 2 {
				t.Fatalf("after the store the root is %d", found.Root.Version)
			}
		}
	}
	if seen[1] == 0 || seen[2] == 0 || len(seen) != 2 {
		t.Errorf("the cuts leave %v", seen)
	}
}
