package roots_test

import (
	"bytes"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// The cases of TUF's conformance suite, and the published failures of its clients, that have a meaning for a root and a
// set: each with the reason that it must give. After every refusal the device knows what it knew before.
//
// Without a meaning here are the cases of a repository: names and hashes of metadata files and missing ones, snapshot
// and timestamp (a set is one snapshot, and its index is all there is to time), and the order of delegations (grants of
// one role never overlap, so there is no order).
func TestConformance(t *testing.T) {
	state := begun(t, good(), 1, 2)
	away := roots.Clock{Wall: 3 * issued}
	update := func(clock roots.Clock, chain ...roots.Signed) error {
		_, err := state.Update(chain, clock)
		return err
	}
	next := func(change func(*roots.Root), by ...byte) error {
		return update(roots.Clock{},
			signed(t, following(change), by...))
	}
	set := func(more ...trust.Signature) error {
		signature := sign(t, 4, []byte("an index"))
		_, err := state.Root.Verify(trust.RoleSystem, []byte("an index"), signature.Bytes[:], more)
		return err
	}
	index := []byte("an index")
	alias := sign(t, 4, index)
	alias.Key = pub(5)
	longer := func(change func(r *roots.Root)) func(r *roots.Root) {
		return func(r *roots.Root) { r.Expires = 9 * issued; change(r) }
	}
	keep := func(*roots.Root) {}
	for _, c := range []struct {
		name string
		err  error
		want refusal.Reason
	}{
		{"root rotation", next(keep, 1, 2), ""},
		{"root rotation, not signed by the old keys", update(roots.Clock{}, signed(t, rotated(), 3, 7, 8)),
			refusal.ThresholdNotMet},
		{"root rotation, not signed by the new keys", update(roots.Clock{}, signed(t, rotated(), 1, 2, 3)),
			refusal.ThresholdNotMet},
		{"root has no signatures", next(keep), refusal.Unsigned},
		{"root is the version before (rollback)", update(roots.Clock{}, signed(t, good(), 1, 2)), ""}, // ignored
		{"root of the same version with other content", update(roots.Clock{},
			signed(t, but(good(), func(r *roots.Root) { r.Issued++ }), 1, 2)), refusal.RootVersion},
		{"root skips a version (fast-forward)", next(func(r *roots.Root) { r.Version = 3 }, 1, 2), refusal.RootVersion},
		{"root of the highest version", next(func(r *roots.Root) { r.Version = 1<<64 - 1 }, 1, 2), refusal.RootVersion},
		{"final root has expired", update(away, signed(t, following(keep), 1, 2)), refusal.Expired},
		{"an intermediate root has expired", update(away, signed(t, following(keep), 1, 2),
			signed(t, following(longer(func(r *roots.Root) { r.Version = 3 })), 1, 2)), ""},
		{"the trusted root has expired before the update", update(away, signed(t, following(longer(keep)), 1, 2)), ""},
		{"the clock is behind (freeze)", state.Saw(3*issued).Admit(roots.Verdict{Grants: state.Root.Grants[1:]},
			roots.Claim{Version: "1.0.0"}, roots.Clock{}), refusal.Expired},

		{"threshold met", set(sign(t, 5, index)), ""},
		{"threshold not met", set(), refusal.ThresholdNotMet},
		{"one signature twice (CVE-2020-15093)", set(sign(t, 4, index), sign(t, 4, index)), refusal.ThresholdNotMet},
		{"one key under two names (CVE-2020-15093)", set(alias), refusal.ThresholdNotMet},
		{"signatures of keys that are not in the role (CVE-2026-6966)", set(sign(t, 1, index), sign(t, 2, index)),
			refusal.ThresholdNotMet},
		{"an invalid signature beside enough valid ones", set(sign(t, 5, index), sign(t, 6, []byte("other"))), ""},
		{"one root key twice in the role", next(func(r *roots.Root) { r.Grants[0].Threshold = 3 }, 1, 2),
			refusal.ThresholdNotMet},
		{"versions are not sequential (CVE-2025-2885)", update(roots.Clock{},
			signed(t, following(func(r *roots.Root) { r.Version = 3 }), 1, 2), signed(t, following(keep), 1, 2)),
			refusal.RootVersion},
		{"an unknown role", parsed(t, "system", "sistem"), refusal.BadRoot},
		{"a family that is a path (GHSA-wjw6-2cqr-j4qr)", parsed(t, "demo", "../a"), refusal.BadRoot},
	} {
		t.Run(c.name, func(t *testing.T) { wantReason(t, c.err, c.want) })
	}
	if fresh := begun(t, good(), 1, 2); !bytes.Equal(state.Encode(), fresh.Encode()) {
		t.Error("what was refused changed the state")
	}
}

// parsed is what becomes of a root in which a text was replaced by another of the same length.
func parsed(t *testing.T, old, new string) error {
	raw := bytes.ReplaceAll(document(t, good()), []byte(old), []byte(new))
	_, err := good().Next(signedRaw(t, 1, raw, 1, 2))
	return err
}

// The restart of a device between any two steps changes nothing (CVE-2022-29173): what it stored is what it knew.
func TestRestartBetweenSteps(t *testing.T) {
	chain := chainOf(t, 6)
	state, err := roots.Begin(chain[:1], chain[0].Digest(), roots.Clock{})
	wantReason(t, err, "")
	for i, step := range chain[1:] {
		if state, err = roots.Load(state.Encode()); err != nil {
			t.Fatal(err)
		}
		if state, err = state.Update([]roots.Signed{step}, roots.Clock{}); err != nil {
			t.Fatal(err)
		}
		again, err := roots.Load(state.Encode())
		wantReason(t, err, "")
		after, err := again.Update(chain[:i+1], roots.Clock{})
		if wantReason(t, err, ""); after.Root.Version != uint64(i+2) {
			t.Fatalf("an older chain led from root %d to %d", i+2, after.Root.Version)
		}
	}
}
