package keystored_test

import (
	"crypto/sha256"
	"slices"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// A root under which the running set could not run any more is refused: the next start would have nothing to run. One
// that only takes the way back is not, and says so. Whatever can be verified neither before nor after changes nothing.
func TestRootThatStopsWhatRuns(t *testing.T) {
	one, proofOfOne := index(t, 3, 0, 0, 4)
	other, proofOfOther := index(t, 4, 0, 0, 3)
	ofFolder, proofOfFolder := index(t, 1, 0, 0)
	stranger, proofOfStranger := index(t, 9, 0, 0)
	runs, kept := slot{one, proofOfOne, true}, slot{one, proofOfOne, false}
	revoking := func(numbers ...byte) func(*roots.Root) {
		return func(r *roots.Root) {
			r.RevokedKeys = public(numbers...)
			r.Keys = slices.DeleteFunc(r.Keys, func(k roots.Key) bool {
				return slices.Contains(r.RevokedKeys,
					k.Public)
			})
			r.Grants[1] = roots.Grant{Role: trust.RoleSystem, Threshold: 1, Keys: slices.DeleteFunc(public(3, 4),
				func(k trust.PublicKey) bool { return slices.Contains(r.RevokedKeys, k) })}
		}
	}
	withdrawing := func(index []byte) func(*roots.Root) {
		return func(r *roots.Root) { r.RevokedSets = []roots.Digest{sha256.Sum256(index)} }
	}
	replacing := func(r *roots.Root) {
		r.Grants[1] = roots.Grant{Role: trust.RoleSystem, Threshold: 1, Keys: public(2)}
	}
	for _, c := range []struct {
		name    string
		change  func(*roots.Root)
		slots   []slot
		stopped []string
		want    refusal.Reason
	}{
		{"nothing is revoked", nil, []slot{runs}, nil, ""},
		{"a key is replaced", replacing, []slot{runs}, nil, ""},
		{"a key of what runs is revoked", revoking(3), []slot{runs}, nil, refusal.LocksOut},
		{"the second key of what runs is revoked, and one is enough", revoking(4), []slot{runs}, nil, ""},
		{"what runs is withdrawn", withdrawing(one), []slot{runs}, nil, refusal.LocksOut},
		{"a key of the way back is revoked", revoking(3), []slot{kept}, []string{"1.0.0"}, ""},
		{"the way back is withdrawn", withdrawing(one), []slot{kept, {other, proofOfOther, true}}, []string{"1.0.0"},
			""},
		{"what a trial would go back to is withdrawn", withdrawing(one), []slot{{other, proofOfOther, true}, runs}, nil,
			refusal.LocksOut},
		{"a key of the folder is revoked", revoking(1), []slot{runs}, nil, ""},
		{"a key of the folder that signed what runs", revoking(1), []slot{{ofFolder, proofOfFolder, true}}, nil,
			refusal.LocksOut},
		{"what runs by the folder", nil, []slot{{ofFolder, proofOfFolder, true}}, nil, ""},
		{"what nobody trusted signed", revoking(3), []slot{{stranger, proofOfStranger, true}}, nil, ""},
		{"no set at all", revoking(3), nil, nil, ""},
		{"an empty set", revoking(3), []slot{{nil, nil, true}}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			trustDir, rootsDir := begun(t, root(t, 1, nil))
			before := files(t, rootsDir)
			d := device(t, trustDir, rootsDir, 1)
			next := root(t, 2, c.change).Encode()
			version, stopped, got := updateBeside(t, d, next, nil, c.slots...)
			if got != c.want || !slices.Equal(stopped, c.stopped) {
				t.Errorf("got %q, stops %q", got, stopped)
			}
			if c.want == "" && version != 2 || c.want != "" && files(t, rootsDir) != before {
				t.Errorf("the device is at root %d", version)
			}
			d.Stop()

			trustDir, rootsDir = begun(t, root(t, 1, nil))
			if got := takeRoots(t, device(t, trustDir, rootsDir, 1), next, c.slots...); got != c.want {
				t.Errorf("as the root of a set: got %q", got)
			}
			if c.want != "" && files(t, rootsDir) != before {
				t.Error("as the root of a set, it was stored")
			}
		})
	}
}

// The first root may be the one that locks out, too.
func TestFirstRootThatStopsWhatRuns(t *testing.T) {
	trustDir, rootsDir := trusting(t, t.TempDir(), "system", updatestest.Key(1)), t.TempDir()
	d := device(t, trustDir, rootsDir, 1)
	runs, proof := index(t, 1, 0, 0)
	first := root(t, 1, func(r *roots.Root) { r.RevokedKeys = public(1) })
	pin := first.Digest()
	if _, _, got := updateBeside(t, d, first.Encode(), pin[:], slot{runs, proof, true}); got != refusal.LocksOut {
		t.Errorf("got %q", got)
	}
	if got := files(t, rootsDir); got != "" {
		t.Errorf("it left %q", got)
	}
	if _, stopped, got := updateBeside(t, d, first.Encode(), pin[:], slot{runs, proof, false}); got != "" ||
		!slices.Equal(stopped, []string{"1.0.0"}) {
		t.Errorf("beside the way back: got %q, %q", got, stopped)
	}
}
