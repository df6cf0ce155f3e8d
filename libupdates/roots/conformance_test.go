package roots_test

import (
	"bytes"
	"runtime"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// The cases of TUF's conformance suite, and the published failures of its clients, that have a meaning for a root and a
// set: each with the reason that it must give. After every refusal the device knows what it knew before.
//
// Beside this table: TestSignatureLengths, TestThresholdOfEveryRole, TestManyRoots and TestRestartBetweenSteps below,
// TestBadRoots of keystored, and for tries that are exhausted (systemd#40192) the model check of package bootctl.
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

// A signature has 64 bytes (OSTree GHSA-gqf4-p3gv-g8vw). Any other length is refused as such, whatever is in it, and a
// list of further ones has entries of 96.
func TestSignatureLengths(t *testing.T) {
	message := []byte("an index")
	whole := sign(t, 4, message)
	long := append(whole.Bytes[:], make([]byte, 192)...)
	single := but(good(), func(r *roots.Root) { r.Grants[1].Threshold = 1 })
	for n := range len(long) + 1 {
		want := refusal.BadSignatureLength
		switch n {
		case 0:
			want = refusal.Unsigned
		case 64:
			want = ""
		}
		_, err := single.Verify(trust.RoleSystem, message, long[:n], nil)
		wantReason(t, err, want)
	}
	for n := range 200 {
		_, err := trust.ParseSignatures(long[:n])
		want := refusal.BadSignatures // two of them are not in order
		if n == 0 || n == 96 {
			want = ""
		}
		wantReason(t, err, want)
	}
}

// The ways by which clients were made to count one key for two, for every role (CVE-2020-15093, and CVE-2026-6966,
// where it came back in the roles beside the first).
func TestThresholdOfEveryRole(t *testing.T) {
	message := []byte("a message")
	for _, role := range []trust.Role{trust.RoleSystem, trust.RoleApps, trust.RoleChannel} {
		r := but(good(), func(r *roots.Root) {
			r.Grants = append(r.Grants[:1:1], roots.Grant{Role: role, Threshold: 2, Keys: pubs(4, 5, 6)})
			r.RevokedKeys = pubs(7)
		})
		one, two := sign(t, 4, message), sign(t, 5, message)
		alias, other := one, sign(t, 5, []byte("another message"))
		alias.Key = pub(5)
		for _, c := range []struct {
			name string
			more []trust.Signature
			want refusal.Reason
		}{
			{"two keys", []trust.Signature{two}, ""},
			{"one key", nil, refusal.ThresholdNotMet},
			{"one key twice", []trust.Signature{one}, refusal.ThresholdNotMet},
			{"one key three times", []trust.Signature{one, one}, refusal.ThresholdNotMet},
			{"one key under another's name", []trust.Signature{alias}, refusal.ThresholdNotMet},
			{"a key of another role", []trust.Signature{sign(t, 1, message)}, refusal.ThresholdNotMet},
			{"a key of nobody", []trust.Signature{sign(t, 20, message)}, refusal.ThresholdNotMet},
			{"a revoked key", []trust.Signature{sign(t, 7, message)}, refusal.ThresholdNotMet},
			{"over another message", []trust.Signature{other}, refusal.ThresholdNotMet},
			{"no signature, but a name", []trust.Signature{{Key: pub(5)}}, refusal.ThresholdNotMet},
		} {
			t.Run(string(role)+"/"+c.name, func(t *testing.T) {
				_, err := r.Verify(role, message, one.Bytes[:], c.more)
				wantReason(t, err, c.want)
			})
		}
	}
	// and for the role root, whose every signature has a name
	next := document(t, following(nil))
	one := sign(t, 1, next)
	alias := one
	alias.Key = pub(2)
	for name, list := range map[string][]trust.Signature{
		"twice": {one, one}, "another name": {one, alias}, "once": {one}, "revoked": {one, sign(t, 7, next)},
	} {
		r := but(good(), func(r *roots.Root) { r.RevokedKeys = pubs(7) })
		_, err := r.Next(roots.Signed{Version: 2, Document: next, Signatures: list})
		if got := refusal.Of(err); got != refusal.ThresholdNotMet {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// A client that fetches roots one by one needs a limit on how many (TUF's maximum of root rotations). Here they come as
// one file, which has a limit, and memory grows with what is read and no faster.
func TestManyRoots(t *testing.T) {
	chain := chainOf(t, 100)
	begin := func() roots.State {
		state, err := roots.Begin(chain[:1], chain[0].Digest(), roots.Clock{})
		wantReason(t, err, "")
		return state
	}
	state, err := begin().Update(chain, roots.Clock{})
	if wantReason(t, err, ""); state.Root.Version != 100 {
		t.Fatalf("the walk ends at root %d", state.Root.Version)
	}
	if n := len(state.Encode()); n > roots.MaxStored {
		t.Errorf("a state of %d bytes", n)
	}
	_, err = roots.Split(bytes.Repeat(chain[0].Encode(), roots.MaxChain/len(chain[0].Encode())+1))
	wantReason(t, err, refusal.BadRoot)
	allocated := func(n int) uint64 {
		state := begin()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := state.Update(chain[:n], roots.Clock{})
		runtime.ReadMemStats(&after)
		wantReason(t, err, "")
		return after.TotalAlloc - before.TotalAlloc
	}
	if few, many := allocated(25), allocated(100); many > 6*few {
		t.Errorf("25 roots take %d bytes, 100 take %d", few, many)
	}
}

// parsed is what becomes of a root in which a text was replaced by another of the same length.
func parsed(t *testing.T, old, new string) error {
	raw := bytes.ReplaceAll(document(t, following(nil)), []byte(old), []byte(new))
	_, err := good().Next(signedRaw(t, 2, raw, 1, 2))
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
