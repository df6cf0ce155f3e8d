package keystored

import (
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// A set is verified once, although both its signatures and its admission are asked about. The verdict counts for
// nothing else: the one that is noted here names a publisher that no verification would find.
func TestVerdictIsOfOneMessage(t *testing.T) {
	state := stateAt(t, 3)
	now := &trusted{trust.Anchors{}, &state}
	message := []byte("an index")
	proof, err := updatestest.Key(1).Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	found, noted := updatestest.Key(1).Public(), updatestest.Key(9).Public()
	verdict := func(root uint64, role trust.Role) roots.Verdict {
		return roots.Verdict{Role: role, Root: root, Publisher: noted}
	}
	for _, c := range []struct {
		name  string
		by    *trusted
		noted roots.Verdict
		of    string // the message that was verified
		want  trust.PublicKey
	}{
		{"the same", now, verdict(3, trust.RoleSystem), "an index", noted},
		{"another message", now, verdict(3, trust.RoleSystem), "an Index", found},
		{"by an earlier root", now, verdict(2, trust.RoleSystem), "an index", found},
		{"by the folder", now, verdict(0, trust.RoleSystem), "an index", found},
		{"for another role", now, verdict(3, trust.RoleApps), "an index", found},
		{"before the keys changed", &trusted{trust.Anchors{}, &state}, verdict(3, trust.RoleSystem), "an index", found},
	} {
		k := &keys{}
		k.note(c.by, []byte(c.of), proof, c.noted)
		if got, err := k.verdictOn(now, trust.RoleSystem, message, proof); err != nil || got.Publisher != c.want {
			t.Errorf("%s: got %s, %v", c.name, got.Publisher, err)
		}
		other := append([]byte{proof[0] ^ 1}, proof[1:]...)
		if _, err := k.verdictOn(now, trust.RoleSystem, message, other); refusal.Of(err) != refusal.InvalidSignature {
			t.Errorf("%s: with another signature: %v", c.name, err)
		}
	}
}
