package roots_test

import (
	"crypto/sha256"
	"slices"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// The role system of good wants two of 4, 5 and 6. The publisher's signature does not name its key, the others do.
func TestVerifySet(t *testing.T) {
	message := []byte("an index")
	raw := func(n byte) []byte { s := sign(t, n, message); return s.Bytes[:] }
	list := func(numbers ...byte) (all []trust.Signature) {
		for _, n := range numbers {
			all = append(all, sign(t, n, message))
		}
		return all
	}
	single := but(good(), func(r *roots.Root) { r.Grants[1].Threshold = 1 })
	revoked := but(single, func(r *roots.Root) { r.RevokedKeys = pubs(9) })
	withdrawn := but(single, func(r *roots.Root) { r.RevokedSets = []roots.Digest{sha256.Sum256(message)} })
	renamed := list(4)
	renamed[0].Key = pub(5)
	cases := []struct {
		name      string
		root      roots.Root
		signature []byte
		more      []trust.Signature
		want      refusal.Reason
	}{
		{"one of one", single, raw(5), nil, ""},
		{"one of one, and more than asked", single, raw(5), list(4, 6, 20), ""},
		{"two of two", good(), raw(4), list(5), ""},
		{"one of two", good(), raw(4), nil, refusal.ThresholdNotMet},
		{"its own signature again", good(), raw(4), list(4), refusal.ThresholdNotMet},
		{"its own signature under another name", good(), raw(4), renamed, refusal.ThresholdNotMet},
		{"one and strangers", good(), raw(4), list(20, 21), refusal.ThresholdNotMet},
		{"one and the keys of the role root", good(), raw(4), list(1, 2, 3), refusal.ThresholdNotMet},
		{"the publisher is a stranger", good(), raw(20), list(4, 5), refusal.InvalidSignature},
		{"the publisher signs roots only", good(), raw(1), list(4, 5), refusal.InvalidSignature},
		{"no signature by the publisher", good(), nil, list(4, 5), refusal.Unsigned},
		{"a short signature", good(), raw(4)[:63], list(4, 5), refusal.BadSignatureLength},
		{"a long signature", good(), append(raw(4), 0), list(4, 5), refusal.BadSignatureLength},
		{"a revoked key", revoked, raw(9), nil, refusal.KeyRevoked},
		{"a revoked key beside a good one", revoked, raw(9), list(4), refusal.KeyRevoked},
		{"a revoked set", withdrawn, raw(4), nil, refusal.SetRevoked},
		{"a revoked set that nobody signed", withdrawn, make([]byte, 64), nil, refusal.InvalidSignature},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v, err := c.root.Verify(trust.RoleSystem, message, c.signature, c.more)
			wantReason(t, err, c.want)
			if err == nil && (!v.Publisher.Signed(message, c.signature) || len(v.Grants) != 1) {
				t.Errorf("the verdict is %+v", v)
			}
		})
	}
}

// The signature of a root never passes for one of a set, even where one key has both roles.
func TestRolesAreApart(t *testing.T) {
	message := []byte("message")
	signature := sign(t, 4, message)
	for role, want := range map[trust.Role]refusal.Reason{
		trust.RoleSystem: "", trust.RoleApps: refusal.InvalidSignature, trust.RoleChannel: refusal.InvalidSignature,
		trust.RoleRoot: refusal.InvalidSignature, "": refusal.InvalidSignature, "all": refusal.InvalidSignature,
	} {
		single := but(good(), func(r *roots.Root) { r.Grants[1].Threshold = 1 })
		_, err := single.Verify(role, message, signature.Bytes[:], nil)
		wantReason(t, err, want)
	}
}

func TestAdmit(t *testing.T) {
	message := []byte("an index")
	scoped := but(good(), func(r *roots.Root) {
		r.Grants[1] = roots.Grant{Role: trust.RoleSystem, Threshold: 1, Keys: pubs(4),
			Names: []string{"camera.*", "map"}}
		r.Grants = append(r.Grants,
			roots.Grant{Role: trust.RoleSystem, Threshold: 2, Keys: pubs(4, 5), Names: []string{"radio"},
				Expires: issued + 50})
		r.Minimums = []roots.Minimum{{"", "1.2.0"}, {"map", "2.0.0"}}
	})
	verdict := func(more ...byte) roots.Verdict {
		signature := sign(t, 4, message)
		var list []trust.Signature
		for _, n := range more {
			list = append(list, sign(t, n, message))
		}
		v, err := scoped.Verify(trust.RoleSystem, message, signature.Bytes[:], list)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	one, both := verdict(), verdict(5)
	set := func(version string, bundles ...roots.Named) roots.Claim {
		return roots.Claim{Version: version,
			Names: bundles}
	}
	until := func(s roots.Claim, issued, expires uint64) roots.Claim {
		s.Issued, s.Expires = issued, expires
		return s
	}
	camera, radio := roots.Named{Name: "camera.front", Version: "1.0.0"}, roots.Named{Name: "radio", Version: "1.0.0"}
	chart := func(version string) roots.Named { return roots.Named{Name: "map", Version: version} }
	cases := []struct {
		name    string
		verdict roots.Verdict
		set     roots.Claim
		wall    uint64
		want    refusal.Reason
	}{
		{"in scope", one, set("1.2.0", camera, chart("2.0.0")), 0, ""},
		{"one bundle out of scope", one, set("1.2.0", camera, radio), 0, refusal.OutOfScope},
		{"a name that begins differently", one, set("1.2.0", roots.Named{Name: "camera", Version: "1.0.0"}), 0,
			refusal.OutOfScope},
		{"both grants together", both, set("1.2.0", camera, radio), 0, ""},
		{"one of the grants has expired", both, set("1.2.0", camera, radio), issued + 50, refusal.OutOfScope},
		{"the other one has not", both, set("1.2.0", camera), issued + 50, ""},

		{"below the minimum", one, set("1.1.9", camera), 0, refusal.MinimumVersion},
		{"a pre-release of the minimum", one, set("1.2.0-rc.1", camera), 0, refusal.MinimumVersion},
		{"a bundle below its minimum", one, set("1.2.0", chart("1.9.9")), 0, refusal.MinimumVersion},
		{"above", one, set("10.0.0", chart("2.0.1")), 0, ""},

		{"the root has expired", one, set("1.2.0", camera), 2 * issued, refusal.Expired},
		{"a moment before", one, set("1.2.0", camera), 2*issued - 1, ""},
		{"the set has expired by the clock", one, until(set("1.2.0", camera), 1, issued+9), issued +
			9, refusal.Expired},
		{"the set has expired by what was signed", one, until(set("1.2.0", camera), 1, issued), 1, refusal.Expired},
		{"the set is valid, and the clock says 1970", one, until(set("1.2.0", camera), issued, issued+9), 1, ""},
		{"the set attests that the root has expired", one, until(set("1.2.0", camera), 2*issued, 0), 1,
			refusal.Expired},
	}
	state := begun(t, scoped, 1, 2)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			wantReason(t, state.Admit(c.verdict, c.set, roots.Clock{Wall: c.wall}), c.want)
		})
	}
}

// A verdict whose every grant has expired admits nothing, whatever the set holds.
func TestAdmitByAnExpiredGrant(t *testing.T) {
	limited := but(good(), func(r *roots.Root) { r.Grants[1].Threshold, r.Grants[1].Expires = 1, issued+5 })
	message := []byte("an index")
	signature := sign(t, 4, message)
	v, err := limited.Verify(trust.RoleSystem, message, signature.Bytes[:], nil)
	wantReason(t, err, "")
	state := begun(t, limited, 1, 2)
	wantReason(t, state.Admit(v, roots.Claim{Version: "1.0.0"}, roots.Clock{Wall: issued + 4}), "")
	wantReason(t, state.Admit(v, roots.Claim{Version: "1.0.0"}, roots.Clock{Wall: issued + 5}), refusal.Expired)
}

// What was installed runs on after its keys were replaced, but not after they or it were revoked.
func TestVerifyInstalled(t *testing.T) {
	message := []byte("an index")
	folder := trust.NewAnchors(trust.Anchor{Role: trust.RoleSystem, Key: pub(30)},
		trust.Anchor{Role: trust.RoleSystem, Key: pub(31)})
	first := but(good(), func(r *roots.Root) { r.Grants[1].Threshold = 1 })
	replaced := but(first, func(r *roots.Root) {
		r.Version, r.Keys = 2, named(1, 2, 3, 5, 6)
		r.Grants[1].Keys = pubs(5, 6)
	})
	revoked := but(replaced, func(r *roots.Root) {
		r.Version, r.RevokedKeys = 3, pubs(4, 31)
	})
	withdrawn := but(replaced, func(r *roots.Root) {
		r.Version, r.RevokedSets = 3, []roots.Digest{sha256.Sum256(message)}
	})
	at := func(chain ...roots.Root) roots.State {
		state := begun(t, chain[0], 1, 2)
		var err error
		for _, next := range chain[1:] {
			if state, err = state.Update([]roots.Signed{signed(t, next, 1, 2)}, roots.Clock{}); err != nil {
				t.Fatal(err)
			}
		}
		if state, err = roots.Load(state.Encode()); err != nil {
			t.Fatal(err)
		}
		return state
	}
	for _, c := range []struct {
		name  string
		state roots.State
		by    byte
		want  refusal.Reason
	}{
		{"by a key that counts", at(first), 4, ""},
		{"by a key that was replaced", at(first, replaced), 4, ""},
		{"by the key that replaced it", at(first, replaced), 5, ""},
		{"by a key of the folder", at(first, replaced), 30, ""},
		{"by a key that was revoked", at(first, replaced, revoked), 4, refusal.KeyRevoked},
		{"by a key of the folder that was revoked", at(first, replaced, revoked), 31, refusal.KeyRevoked},
		{"by another one of the folder", at(first, replaced, revoked), 30, ""},
		{"by a stranger", at(first, replaced), 20, refusal.InvalidSignature},
		{"by a key of the role root", at(first, replaced), 1, refusal.InvalidSignature},
		{"a revoked set, by a key that counts", at(first, replaced, withdrawn), 5, refusal.SetRevoked},
		{"a revoked set, by a key that was replaced", at(first, replaced, withdrawn), 4, refusal.SetRevoked},
		{"a revoked set, by a key of the folder", at(first, replaced, withdrawn), 30, refusal.SetRevoked},
	} {
		t.Run(c.name, func(t *testing.T) {
			signature := sign(t, c.by, message)
			v, err := c.state.VerifyInstalled(folder, trust.RoleSystem, message, signature.Bytes[:], nil)
			wantReason(t, err, c.want)
			if err == nil && v.Publisher != pub(c.by) {
				t.Errorf("the publisher is %s", v.Publisher)
			}
			_, err = c.state.Root.Verify(trust.RoleSystem, message, signature.Bytes[:], nil)
			if counts := slices.Contains(c.state.Root.Grants[1].Keys, pub(c.by)); !counts && err == nil {
				t.Error("it is admitted anew, too")
			}
		})
	}
}

// The same routines decide about every role: a root for apps and channels beside sets, and what each may sign. Minimum
// versions are those of bundles, whoever brings them, and of the system set.
func TestEveryRole(t *testing.T) {
	message := []byte("what is signed")
	r := but(good(), func(r *roots.Root) {
		r.Keys = named(1, 2, 3, 4, 5, 6, 7, 8)
		r.Grants = append(r.Grants,
			roots.Grant{Role: trust.RoleApps, Threshold: 1, Keys: pubs(7), Names: []string{"camera.*"}},
			roots.Grant{Role: trust.RoleApps, Threshold: 2, Keys: pubs(7, 8), Names: []string{"radio"},
				Expires: issued + 50},
			roots.Grant{Role: trust.RoleChannel, Threshold: 1, Keys: pubs(8), Names: []string{"stable", "beta*"}})
		r.Minimums = []roots.Minimum{{"", "2.0.0"}, {"camera.front", "1.5.0"}, {"stable", "9.0.0"}}
	})
	state := begun(t, r, 1, 2)
	claim := func(version string, names ...string) roots.Claim {
		c := roots.Claim{Version: version}
		for _, name := range names {
			c.Names = append(c.Names, roots.Named{Name: name, Version: version})
		}
		return c
	}
	until := func(c roots.Claim, expires uint64) roots.Claim { c.Expires = expires; return c }
	for _, c := range []struct {
		name  string
		role  trust.Role
		by    byte
		more  []byte
		claim roots.Claim
		wall  uint64
		want  refusal.Reason
	}{
		{"an app", trust.RoleApps, 7, nil, claim("1.5.0", "camera.front"), 0, ""},
		{"an app below its minimum", trust.RoleApps, 7, nil, claim("1.4.9", "camera.front"), 0, refusal.MinimumVersion},
		{"an app below that of the set", trust.RoleApps, 7, nil, claim("1.6.0", "camera.back"), 0, ""},
		{"an app out of scope", trust.RoleApps, 7, nil, claim("3.0.0", "map"), 0, refusal.OutOfScope},
		{"an app for which two must sign", trust.RoleApps, 7, nil, claim("3.0.0", "radio"), 0, refusal.OutOfScope},
		{"an app that two signed", trust.RoleApps, 7, []byte{8}, claim("3.0.0", "radio"), 0, ""},
		{"an app whose grant has expired", trust.RoleApps, 7, []byte{8}, claim("3.0.0", "radio"), issued + 50,
			refusal.OutOfScope},
		{"an app by one of two", trust.RoleApps, 8, nil, claim("3.0.0", "radio"), 0, refusal.ThresholdNotMet},
		{"an app by the key of sets", trust.RoleApps, 4, []byte{5}, claim("3.0.0", "radio"), 0,
			refusal.InvalidSignature},
		{"an app that has expired", trust.RoleApps, 7, nil, until(claim("3.0.0", "camera.x"), issued), 0,
			refusal.Expired},

		{"a channel", trust.RoleChannel, 8, nil, claim("", "stable"), 0, ""},
		{"another channel", trust.RoleChannel, 8, nil, claim("", "beta-eu"), 0, ""},
		{"a channel out of scope", trust.RoleChannel, 8, nil, claim("", "nightly"), 0, refusal.OutOfScope},
		{"a channel by the key of apps", trust.RoleChannel, 7, nil, claim("", "stable"), 0, refusal.InvalidSignature},
		{"a channel that has expired", trust.RoleChannel, 8, nil, until(claim("", "stable"), issued+9), issued + 9,
			refusal.Expired},
		{"a channel under a root that has expired", trust.RoleChannel, 8, nil, claim("", "stable"), 2 * issued,
			refusal.Expired},

		{"a set by the keys of apps", trust.RoleSystem, 7, []byte{8}, claim("3.0.0", "map"), 0,
			refusal.InvalidSignature},
		{"a set below its minimum", trust.RoleSystem, 4, []byte{5}, claim("1.9.0", "map"), 0, refusal.MinimumVersion},
		{"a set with the app", trust.RoleSystem, 4, []byte{5}, claim("2.0.0", "camera.front"), 0, ""},
		{"a role that nobody has", "everything", 4, []byte{5}, claim("2.0.0"), 0, refusal.InvalidSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			first := sign(t, c.by, message)
			var more []trust.Signature
			for _, n := range c.more {
				more = append(more, sign(t, n, message))
			}
			v, err := state.Root.Verify(c.role, message, first.Bytes[:], more)
			if err == nil {
				err = state.Admit(v, c.claim, roots.Clock{Wall: c.wall})
			}
			wantReason(t, err, c.want)
		})
	}
}
