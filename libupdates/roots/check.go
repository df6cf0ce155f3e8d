package roots

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode"

	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

func bad(format string, args ...any) error {
	return refusal.New(refusal.BadRoot, "bad root: "+format, args...)
}

func locksOut(format string, args ...any) error {
	return refusal.New(refusal.LocksOut, "the root would lock everybody out: "+format, args...)
}

// Check applies the rules of schema/trust.capnp to one root by itself. Refusals: BadRoot; BadKey; LocksOut if some role
// could never be exercised.
func (r Root) Check() error {
	for _, check := range []func() error{r.checkHead, r.checkKeys, r.checkRevoked, r.checkGrants, r.checkMinimums} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (r Root) checkHead() error {
	switch {
	case r.Version == 0:
		return bad("its version is 0")
	case nxb.CheckName(r.Family) != nil:
		return bad("%.80q is not a valid family name", r.Family)
	case r.Issued == 0:
		return bad("it does not say when it was issued")
	case r.Expires != 0 && r.Expires <= r.Issued:
		return bad("it expires before it is issued")
	}
	return nil
}

func (r Root) checkKeys() error {
	if n := len(r.Keys); n == 0 || n > MaxKeys {
		return bad("%d keys, want 1 to %d", n, MaxKeys)
	}
	for _, k := range r.Keys {
		if err := k.Public.Usable(); err != nil {
			return err
		}
		if len(k.Name) > maxKeyName || strings.ContainsFunc(k.Name, func(c rune) bool { return !unicode.IsPrint(c) }) {
			return bad("the name of key %s is not one line of at most %d bytes", k.Public, maxKeyName)
		}
	}
	if !ascending(r.Keys, func(a, b Key) int { return compareKeys(a.Public, b.Public) }) {
		return bad("its keys are not in ascending order")
	}
	return nil
}

func (r Root) checkRevoked() error {
	switch {
	case len(r.RevokedKeys) > MaxRevokedKeys:
		return bad("%d revoked keys are over the limit of %d", len(r.RevokedKeys), MaxRevokedKeys)
	case len(r.RevokedSets) > MaxRevokedSets:
		return bad("%d revoked sets are over the limit of %d", len(r.RevokedSets), MaxRevokedSets)
	case !ascending(r.RevokedKeys, compareKeys):
		return bad("its revoked keys are not in ascending order")
	case !ascending(r.RevokedSets, func(a, b Digest) int { return bytes.Compare(a[:], b[:]) }):
		return bad("its revoked sets are not in ascending order")
	}
	return nil
}

func (r Root) checkGrants() error {
	if n := len(r.Grants); n > MaxGrants {
		return bad("%d grants are over the limit of %d", n, MaxGrants)
	}
	for i, g := range r.Grants {
		if err := r.checkGrant(g); err != nil {
			return err
		}
		for _, other := range r.Grants[:i] {
			if other.Role == g.Role && g.overlaps(other) {
				return bad("two grants of the role %s overlap", g.Role)
			}
		}
	}
	for _, role := range []trust.Role{trust.RoleRoot, trust.RoleSystem} {
		if len(r.Of(role)) == 0 {
			return locksOut("nobody has the role %s", role)
		}
	}
	return nil
}

func (r Root) checkGrant(g Grant) error {
	switch {
	case !knownRole(g.Role):
		return bad("%.40q is not a role", g.Role)
	case len(g.Keys) == 0:
		return locksOut("the role %s has no keys", g.Role)
	case !ascending(g.Keys, compareKeys):
		return bad("the keys of the role %s are not in ascending order", g.Role)
	case g.Threshold < 1:
		return bad("the threshold of the role %s is %d", g.Role, g.Threshold)
	case g.Threshold > len(g.Keys):
		return locksOut("the role %s wants %d of %d keys", g.Role, g.Threshold, len(g.Keys))
	case g.Role == trust.RoleRoot && (len(g.Names) > 0 || g.Expires != 0):
		return bad("the role root has names or a time limit of its own")
	case g.Expires != 0 && g.Expires <= r.Issued:
		return bad("a grant of the role %s expires before the root is issued", g.Role)
	case len(g.Names) > MaxNames:
		return bad("%d names of one grant are over the limit of %d", len(g.Names), MaxNames)
	}
	for _, name := range g.Names {
		if !validPattern(name) {
			return bad("%.80q is neither a name nor the beginning of one and *", name)
		}
	}
	for _, key := range g.Keys {
		if !slices.ContainsFunc(r.Keys, func(k Key) bool { return k.Public == key }) {
			return bad("the role %s is for key %s, which is not one of the root's", g.Role, key)
		}
		if slices.Contains(r.RevokedKeys, key) {
			return bad("the role %s is for key %s, which is revoked", g.Role, key)
		}
	}
	return nil
}

func (r Root) checkMinimums() error {
	if n := len(r.Minimums); n > MaxMinimums {
		return bad("%d minimum versions are over the limit of %d", n, MaxMinimums)
	}
	for _, m := range r.Minimums {
		if m.Name != "" && nxb.CheckName(m.Name) != nil || nxb.CheckVersion(m.Version) != nil {
			return bad("%.80q %.80q is not a minimum version of a bundle", m.Name, m.Version)
		}
	}
	if !ascending(r.Minimums, func(a, b Minimum) int { return cmp.Compare(a.Name, b.Name) }) {
		return bad("its minimum versions are not in ascending order")
	}
	return nil
}

func knownRole(role trust.Role) bool {
	return slices.Contains([]trust.Role{trust.RoleRoot, trust.RoleSystem, trust.RoleApps, trust.RoleChannel}, role)
}

func compareKeys(a, b trust.PublicKey) int { return bytes.Compare(a[:], b[:]) }

// ascending reports whether each element is greater than the one before it.
func ascending[E any](list []E, compare func(a, b E) int) bool {
	for i := range max(len(list)-1, 0) {
		if compare(list[i], list[i+1]) >= 0 {
			return false
		}
	}
	return true
}
