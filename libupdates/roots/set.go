package roots

import (
	"cmp"
	"crypto/sha256"
	"slices"

	"nexus/libupdates/refusal"
	"nexus/libupdates/semver"
	"nexus/libupdates/trust"
)

// A Verdict says who signed a message, and what they may sign.
type Verdict struct {
	Role      trust.Role
	Root      uint64          // version of the root that was asked; 0: a folder of keys
	Publisher trust.PublicKey // made the signature that does not name its key
	Grants    []Grant         // those whose thresholds are met; at least one
}

// Verify checks who signed a message for a role: one signature that does not name its key, and possibly more. It takes
// no time into account, so what it says about a set holds as long as the root does. The message is opaque: no byte of
// it is interpreted. Refusals: SetRevoked by the digest of the message, KeyRevoked, ThresholdNotMet, and those of
// trust.Tally.Publisher.
func (r Root) Verify(role trust.Role, message, signature []byte, more []trust.Signature) (Verdict, error) {
	tally := trust.NewTally(message, signature, more)
	publisher, err := tally.Publisher(role, r.Anchors().Keys(role))
	if err != nil {
		return Verdict{}, r.blame(message, signature, err)
	}
	if slices.Contains(r.RevokedSets, sha256.Sum256(message)) {
		return Verdict{}, refusal.New(refusal.SetRevoked, "the root revokes this set")
	}
	v := Verdict{Role: role, Root: r.Version, Publisher: publisher}
	var nearest error
	for _, grant := range r.Of(role) {
		_, err := tally.Meet(grant.threshold())
		switch {
		case err == nil:
			v.Grants = append(v.Grants, grant)
		case nearest == nil:
			nearest = refusal.New(refusal.ThresholdNotMet, "it is not signed as the role %s asks: %v", role, err)
		}
	}
	if len(v.Grants) == 0 {
		return Verdict{}, nearest
	}
	return v, nil
}

// VerifyInstalled is Verify for a set that was admitted before: a root that counted then will do, less the keys and
// sets that are revoked now. So a key that is replaced does not stop what it signed, and one that is revoked does.
// Before the first root, the keys of a folder counted.
func (s State) VerifyInstalled(folder trust.Anchors, role trust.Role, message, signature []byte,
	more []trust.Signature) (Verdict, error) {
	verdict, refused := s.Root.Verify(role, message, signature, more)
	if refused == nil || refusal.Of(refused) == refusal.SetRevoked {
		return verdict, refused
	}
	for i := len(s.past) - 1; i >= -1; i-- {
		before := rootOf(folder)
		if i >= 0 {
			before = s.past[i].Root
		}
		if verdict, err := before.less(s.Root).Verify(role, message, signature, more); err == nil {
			return verdict, nil
		} else if refusal.Of(err) == refusal.SetRevoked {
			return Verdict{}, err
		}
	}
	return Verdict{}, refused
}

// rootOf is what a folder of keys amounts to: any one key of a role.
func rootOf(folder trust.Anchors) Root {
	var r Root
	for _, anchor := range folder.List() {
		r.Grants = append(r.Grants, Grant{Role: anchor.Role, Threshold: 1, Keys: []trust.PublicKey{anchor.Key}})
	}
	return r
}

// less returns the root without what another one revokes.
func (r Root) less(now Root) Root {
	r.RevokedKeys, r.RevokedSets = now.RevokedKeys, now.RevokedSets
	r.Grants = slices.Clone(r.Grants)
	for i, g := range r.Grants {
		r.Grants[i].Keys = slices.DeleteFunc(slices.Clone(g.Keys), func(key trust.PublicKey) bool {
			return slices.Contains(now.RevokedKeys, key)
		})
	}
	return r
}

// blame makes a refusal more exact: the signature of a revoked key is told from a stranger's.
func (r Root) blame(message, signature []byte, refused error) error {
	for _, key := range r.RevokedKeys {
		if key.Signed(message, signature) {
			return refusal.New(refusal.KeyRevoked, "key %s, which signed it, is revoked", key)
		}
	}
	return refused
}

// A Claim is what a verified message says about itself. It is what a grant is compared with, whatever the message is: a
// system set and its bundles, an app and its bundle, or a channel.
type Claim struct {
	Version string // of the system set; nothing is compared with that of another message
	Issued  uint64
	Expires uint64
	Names   []Named
}

// A Named is a bundle of a claim, or a channel, which has no version.
type Named struct{ Name, Version string }

// Admit decides whether what passed Verify may be installed, or followed, anew. What is installed already is not asked
// again. Refusals: Expired, OutOfScope, MinimumVersion.
func (s State) Admit(v Verdict, c Claim, clock Clock) error {
	s = s.Saw(c.Issued)
	if err := s.fresh(clock); err != nil {
		return err
	}
	now := s.Now(clock)
	whole, part := nouns(v.Role)
	if expired(c.Expires, now) {
		return refusal.New(refusal.Expired, "the %s has expired", whole)
	}
	valid := slices.DeleteFunc(slices.Clone(v.Grants), func(g Grant) bool { return expired(g.Expires, now) })
	if len(valid) == 0 {
		return refusal.New(refusal.Expired, "the grant by which its publisher signs has expired")
	}
	for _, n := range c.Names {
		if !slices.ContainsFunc(valid, func(g Grant) bool { return g.covers(n.Name) }) {
			return refusal.New(refusal.OutOfScope, "its publisher may not sign for the %s %s", part, n.Name)
		}
	}
	return s.Root.admitVersions(v.Role, c)
}

// admitVersions wants the minimum versions. They are those of bundles, and of the system set.
func (r Root) admitVersions(role trust.Role, c Claim) error {
	var bound []Named
	if role == trust.RoleSystem {
		bound = append(bound, Named{"", c.Version})
	}
	if role != trust.RoleChannel {
		bound = append(bound, c.Names...)
	}
	for _, n := range bound {
		if err := r.admitVersion(n); err != nil {
			return err
		}
	}
	return nil
}

func (r Root) admitVersion(n Named) error {
	at, found := slices.BinarySearchFunc(r.Minimums, n.Name, func(m Minimum, name string) int {
		return cmp.Compare(m.Name, name)
	})
	if found && semver.Compare(n.Version, r.Minimums[at].Version) < 0 {
		return refusal.New(refusal.MinimumVersion, "%s is version %s, the root wants at least %s",
			cmp.Or(n.Name, "the set"), n.Version, r.Minimums[at].Version)
	}
	return nil
}

// nouns returns what a role signs, and what the names of its grants are of.
func nouns(role trust.Role) (whole, part string) {
	switch role {
	case trust.RoleApps:
		return "app", "bundle"
	case trust.RoleChannel:
		return "channel", "channel"
	default:
		return "set", "bundle"
	}
}
