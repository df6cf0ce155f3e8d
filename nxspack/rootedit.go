package nxspack

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// termFlags say when a root is issued and expires.
type termFlags struct {
	Issued  moment `placeholder:"TIME" help:"When the root is issued (default: now)."`
	Expires moment `placeholder:"TIME" help:"Until when sets may be staged under the root (default: no limit, or that of the root before)."`
}

func (v termFlags) apply(r *roots.Root) {
	r.Issued = v.Issued.orNow()
	if v.Expires != 0 {
		r.Expires = uint64(v.Expires)
	}
}

// editFlags are those of all verbs that change a root.
type editFlags struct {
	termFlags
	File   string `arg:"" help:"The root. One that is signed is followed by its next version."`
	Output string `required:"" placeholder:"FILE" help:"File for the new root, which nobody has signed yet."`
}

// run changes the root and writes it without signatures.
func (v editFlags) run(c *command, change func(*roots.Root) error) error {
	old, err := readRoot(v.File)
	if err != nil {
		return err
	}
	next := old.successor()
	v.apply(&next)
	if err := change(&next); err != nil {
		return cannot("change", v.File, err)
	}
	return c.publishRoot(v.Output, next)
}

// publishRoot writes a root that nobody has signed yet. One that no device would accept is refused.
func (c *command) publishRoot(name string, r roots.Root) error {
	document, err := r.Document()
	if err != nil {
		return cannot("write", name, err)
	}
	d := draft{r, roots.Signed{Version: r.Version, Document: document}}
	if err := c.writeRoot(name, d.signed); err != nil {
		return cannot("write", name, err)
	}
	return c.answerRoot(name, d)
}

// rootInitVerb starts a chain.
type rootInitVerb struct {
	termFlags
	Family          string   `required:"" help:"The family of devices, in the form of a bundle's name."`
	RootKey         []string `required:"" sep:"none" placeholder:"[NAME=]PUB" help:"A key for the role root: ${public}. May be repeated."`
	RootThreshold   int      `default:"1" placeholder:"N" help:"How many of them must sign the next root."`
	SystemKey       []string `required:"" sep:"none" placeholder:"[NAME=]PUB" help:"A key for the role system. May be repeated."`
	SystemThreshold int      `default:"1" placeholder:"N" help:"How many of them must sign a set."`
	Output          string   `required:"" placeholder:"FILE" help:"File for the root, which nobody has signed yet."`
}

// Run writes root 1.
func (v *rootInitVerb) Run(c *command) error {
	r := roots.Root{Version: 1, Family: v.Family}
	v.apply(&r)
	for _, given := range []struct {
		role      trust.Role
		keys      []string
		threshold int
	}{{trust.RoleRoot, v.RootKey, v.RootThreshold}, {trust.RoleSystem, v.SystemKey, v.SystemThreshold}} {
		for _, source := range given.keys {
			name, key, err := namedKey(source)
			if err != nil {
				return err
			}
			if err := addKey(&r, given.role, nil, key, name); err != nil {
				return cannot("write", v.Output, err)
			}
		}
		r.Grants[len(r.Grants)-1].Threshold = given.threshold
	}
	return c.publishRoot(v.Output, r)
}

// namedKey returns a public key and the name for it, if one is given.
func namedKey(source string) (string, trust.PublicKey, error) {
	if name, rest, found := strings.Cut(source, "="); found && !strings.ContainsAny(name, "/: ") {
		key, err := publicKey(rest)
		return name, key, err
	}
	key, err := publicKey(source)
	return "", key, err
}

// roleFlags name a grant.
type roleFlags struct {
	Role  string   `required:"" enum:"root,system,apps,channel" help:"The role: root, system, apps or channel."`
	Names []string `placeholder:"NAME,…" help:"The bundles or channels of the grant, by name or by beginning (camera.*)."`
}

// change changes the grant of the role for exactly these names.
func (v roleFlags) change(r *roots.Root, change func(*roots.Grant)) error {
	r.Grants = slices.Clone(r.Grants)
	for i, g := range r.Grants {
		if g.Role == trust.Role(v.Role) && slices.Equal(g.Names, v.Names) {
			change(&r.Grants[i])
			return nil
		}
	}
	names := "all names"
	if len(v.Names) > 0 {
		names = "the names " + strings.Join(v.Names, ",")
	}
	return refusal.New(refusal.BadRoot, "the role %s has no grant for %.200s: `nxs-pack root inspect` shows the grants",
		v.Role, names)
}

// rootAddKeyVerb gives a key a role.
type rootAddKeyVerb struct {
	editFlags
	roleFlags
	Key string `required:"" placeholder:"[NAME=]PUB" help:"The key: ${public}."`
}

// Run adds the key.
func (v *rootAddKeyVerb) Run(c *command) error {
	name, key, err := namedKey(v.Key)
	if err != nil {
		return err
	}
	return v.run(c, func(r *roots.Root) error { return addKey(r, trust.Role(v.Role), v.Names, key, name) })
}

// addKey gives a key a role, for some names or for all.
func addKey(r *roots.Root, role trust.Role, names []string, key trust.PublicKey, name string) error {
	if slices.Contains(r.RevokedKeys, key) {
		return refusal.New(refusal.KeyRevoked, "key %s is revoked", key)
	}
	at, found := slices.BinarySearchFunc(r.Keys, key, compareRootKey)
	r.Keys = slices.Clone(r.Keys)
	if !found {
		r.Keys = slices.Insert(r.Keys, at, roots.Key{Public: key})
	}
	r.Keys[at].Name = cmp.Or(name, r.Keys[at].Name)
	r.Grants = slices.Clone(r.Grants)
	grant := slices.IndexFunc(r.Grants, func(g roots.Grant) bool {
		return g.Role == role &&
			slices.Equal(g.Names, names)
	})
	if grant < 0 {
		r.Grants = append(r.Grants, roots.Grant{Role: role, Threshold: 1, Names: names})
		grant = len(r.Grants) - 1
	}
	g := &r.Grants[grant]
	if at, found := slices.BinarySearchFunc(g.Keys, key, compareKey); !found {
		g.Keys = slices.Insert(slices.Clone(g.Keys), at, key)
	}
	return nil
}

func compareKey(a, b trust.PublicKey) int { return bytes.Compare(a[:], b[:]) }

func compareRootKey(k roots.Key, key trust.PublicKey) int { return compareKey(k.Public, key) }

// rootRemoveKeyVerb takes a role from a key.
type rootRemoveKeyVerb struct {
	editFlags
	Role string `enum:"root,system,apps,channel,all" default:"all" help:"The role: root, system, apps, channel or all."`
	Key  string `required:"" placeholder:"PUB" help:"The key: ${public}."`
}

// Run removes the key.
func (v *rootRemoveKeyVerb) Run(c *command) error {
	key, err := publicKey(v.Key)
	if err != nil {
		return err
	}
	return v.run(c, func(r *roots.Root) error {
		if !removeKey(r, trust.Role(v.Role), key) {
			return refusal.New(refusal.NotTrusted, "key %s does not have that role", key)
		}
		return nil
	})
}

// removeKey takes a role, or all, from a key, and the key itself if it has no role left. A grant without keys goes.
func removeKey(r *roots.Root, role trust.Role, key trust.PublicKey) bool {
	is := func(k trust.PublicKey) bool { return k == key }
	removed, left := false, false
	r.Grants = slices.Clone(r.Grants)
	for i, g := range r.Grants {
		has := slices.ContainsFunc(g.Keys, is)
		if has && (role == "all" || g.Role == role) {
			r.Grants[i].Keys = slices.DeleteFunc(slices.Clone(g.Keys), is)
			removed, has = true, false
		}
		left = left || has
	}
	r.Grants = slices.DeleteFunc(r.Grants, func(g roots.Grant) bool { return len(g.Keys) == 0 })
	if !left {
		r.Keys = slices.DeleteFunc(slices.Clone(r.Keys), func(k roots.Key) bool { return is(k.Public) })
	}
	return removed
}

// rootThresholdVerb sets a threshold.
type rootThresholdVerb struct {
	editFlags
	roleFlags
	Threshold int `required:"" placeholder:"N" help:"How many different keys must sign."`
}

// Run sets the threshold.
func (v *rootThresholdVerb) Run(c *command) error {
	return v.run(c, func(r *roots.Root) error {
		return v.change(r, func(g *roots.Grant) { g.Threshold = v.Threshold })
	})
}

// rootValidityVerb sets until when a grant counts.
type rootValidityVerb struct {
	editFlags
	roleFlags
	Until until `required:"" placeholder:"TIME|never" help:"Until when the grant counts for new sets."`
}

// Run sets the limit.
func (v *rootValidityVerb) Run(c *command) error {
	return v.run(c, func(r *roots.Root) error {
		return v.change(r, func(g *roots.Grant) { g.Expires = uint64(v.Until) })
	})
}

// rootNamesVerb sets which names a grant covers.
type rootNamesVerb struct {
	editFlags
	roleFlags
	To []string `placeholder:"NAME,…" help:"The names that it covers from now on, by name or by beginning (camera.*). Without --to: all."`
}

// Run sets the names.
func (v *rootNamesVerb) Run(c *command) error {
	return v.run(c, func(r *roots.Root) error {
		return v.change(r, func(g *roots.Grant) { g.Names = v.To })
	})
}

// rootRevokeVerb revokes keys and sets.
type rootRevokeVerb struct {
	editFlags
	Key []string `sep:"none" placeholder:"PUB" help:"A key that never counts again: ${public}. May be repeated."`
	Set []string `sep:"none" placeholder:"SHA256|FILE.nxs" help:"A set, by its file or by the digest of its index. May be repeated."`
}

// Validate wants something to revoke.
func (v *rootRevokeVerb) Validate() error {
	if len(v.Key)+len(v.Set) == 0 {
		return fmt.Errorf("want --key or --set")
	}
	return nil
}

// Run revokes what was named.
func (v *rootRevokeVerb) Run(ctx context.Context, c *command) error {
	var keys []trust.PublicKey
	for _, source := range v.Key {
		key, err := publicKey(source)
		if err != nil {
			return err
		}
		keys = append(keys, key)
	}
	var sets []roots.Digest
	for _, source := range v.Set {
		digest, err := setDigest(ctx, source)
		if err != nil {
			return err
		}
		sets = append(sets, digest)
	}
	return v.run(c, func(r *roots.Root) error {
		for _, key := range keys {
			removeKey(r, "all", key)
		}
		r.RevokedKeys = distinct(append(slices.Clone(r.RevokedKeys), keys...), compareKey)
		r.RevokedSets = distinct(append(slices.Clone(r.RevokedSets), sets...),
			func(a, b roots.Digest) int { return bytes.Compare(a[:], b[:]) })
		return nil
	})
}

// setDigest returns the digest of a set that is given by it or by its file.
func setDigest(ctx context.Context, source string) (roots.Digest, error) {
	if digest, err := nxs.ParseDigest(source); err == nil {
		return roots.Digest(digest), nil
	}
	found, _, err := inspect(ctx, source)
	if err != nil {
		return roots.Digest{}, cannot("inspect", source, err)
	}
	return roots.Digest(found.Digest), nil
}

// distinct returns the list in ascending order, each element once.
func distinct[E comparable](list []E, compare func(a, b E) int) []E {
	slices.SortFunc(list, compare)
	return slices.Compact(list)
}

// rootRenewVerb sets what else a root says.
type rootRenewVerb struct {
	editFlags
	MinimumVersion []string `placeholder:"[NAME=]VERSION" help:"The lowest version that may be staged, of a bundle or of the set; NAME= alone lifts it. May be repeated."`
	ResetTime      bool     `help:"Have devices forget the signed times that they have seen: the way out if something was signed with a time far in the future."`
}

// Run sets them.
func (v *rootRenewVerb) Run(c *command) error {
	return v.run(c, func(r *roots.Root) error {
		r.ResetsTime = r.ResetsTime || v.ResetTime
		for _, given := range v.MinimumVersion {
			name, version, named := strings.Cut(given, "=")
			if !named {
				name, version = "", given
			}
			r.Minimums = slices.DeleteFunc(slices.Clone(r.Minimums),
				func(m roots.Minimum) bool { return m.Name == name })
			if version != "" {
				r.Minimums = append(r.Minimums, roots.Minimum{Name: name, Version: version})
			}
		}
		slices.SortFunc(r.Minimums, func(a, b roots.Minimum) int { return cmp.Compare(a.Name, b.Name) })
		return nil
	})
}
