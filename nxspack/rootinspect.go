package nxspack

import (
	"fmt"
	"slices"
	"strings"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// parsePin parses the digest of a root.
func parsePin(text string) (roots.Digest, error) {
	digest, err := nxs.ParseDigest(text)
	if err != nil {
		return roots.Digest{}, refusal.New(refusal.RootNotPinned, "%v", err)
	}
	return roots.Digest(digest), nil
}

// rootInspectVerb shows a root.
type rootInspectVerb struct {
	File string `arg:"" help:"The root."`
}

// Run shows what the root says about itself.
func (v *rootInspectVerb) Run(c *command) error {
	d, err := readRoot(v.File)
	if err != nil {
		return err
	}
	return c.answer(describeRoot(d), strings.Join(rootLines(d), "\n")+"\n")
}

// rootDescription is the JSON answer.
type rootDescription struct {
	Version        uint64             `json:"version"`
	Family         string             `json:"family"`
	SHA256         string             `json:"sha256"`
	IssuedUnixMs   uint64             `json:"issuedUnixMs"`
	ExpiresUnixMs  uint64             `json:"expiresUnixMs"` // 0 if never
	ResetsTime     bool               `json:"resetsTime"`
	Keys           []keyDescription   `json:"keys"`
	Grants         []grantDescription `json:"grants"`
	RevokedKeys    []string           `json:"revokedKeys"`
	RevokedSets    []string           `json:"revokedSets"`
	MinimumVersion map[string]string  `json:"minimumVersions"` // by bundle; the empty name is the set
	Signatures     []signatureState   `json:"signatures"`
	Missing        string             `json:"missing"`
}

type keyDescription struct {
	Key  string `json:"key"`
	Name string `json:"name"`
}

type grantDescription struct {
	Role          string   `json:"role"`
	Threshold     int      `json:"threshold"`
	Keys          []string `json:"keys"`
	Names         []string `json:"names"` // empty: all
	ExpiresUnixMs uint64   `json:"expiresUnixMs"`
}

func describeRoot(d draft) rootDescription {
	a := rootDescription{Version: d.Version, Family: d.Family, SHA256: d.signed.Digest().String(),
		IssuedUnixMs: d.Issued, ExpiresUnixMs: d.Expires, ResetsTime: d.ResetsTime,
		RevokedKeys: texts(d.RevokedKeys), RevokedSets: texts(d.RevokedSets), MinimumVersion: map[string]string{},
		Signatures: signatureStates(d.signed), Missing: d.missing()}
	for _, k := range d.Keys {
		a.Keys = append(a.Keys, keyDescription{k.Public.String(), k.Name})
	}
	for _, g := range d.Grants {
		a.Grants = append(a.Grants, grantDescription{string(g.Role), g.Threshold, texts(g.Keys),
			append([]string{}, g.Names...), g.Expires})
	}
	for _, m := range d.Minimums {
		a.MinimumVersion[m.Name] = m.Version
	}
	return a
}

// texts returns the elements as text.
func texts[E fmt.Stringer](list []E) []string {
	all := []string{}
	for _, e := range list {
		all = append(all, e.String())
	}
	return all
}

// rootLines says what a root says, one fact on each line.
func rootLines(d draft) []string {
	lines := append([]string{
		fmt.Sprintf("root %d of %s", d.Version, d.Family),
		"sha256: " + d.signed.Digest().String(),
	}, factLines(d.Root)...)
	for i, s := range signatureStates(d.signed) {
		verdict := "valid"
		switch {
		case !s.Valid:
			verdict = "NOT VALID"
		case !slices.Contains(d.Of(trust.RoleRoot)[0].Keys, d.signed.Signatures[i].Key):
			verdict = "valid, not a root key of this root"
		}
		lines = append(lines, fmt.Sprintf("signature: %s, %s", s.Key, verdict))
	}
	if missing := d.missing(); missing != "" {
		lines = append(lines, "missing: "+missing)
	}
	return lines
}

// factLines are what two roots are compared by.
func factLines(r roots.Root) []string {
	lines := []string{"issued: " + timeText(r.Issued), "expires: " + timeText(r.Expires)}
	if r.ResetsTime {
		lines = append(lines, "resets time")
	}
	for _, g := range r.Grants {
		about := ""
		if len(g.Names) > 0 {
			about += " for " + strings.Join(g.Names, ", ")
		}
		if g.Expires != 0 {
			about += " until " + timeText(g.Expires)
		}
		lines = append(lines, fmt.Sprintf("role %s: %d of %d%s", g.Role, g.Threshold, len(g.Keys), about))
		for _, key := range g.Keys {
			lines = append(lines, fmt.Sprintf("role %s: %s", g.Role, keyText(r, key)))
		}
	}
	for _, key := range r.RevokedKeys {
		lines = append(lines, "revoked key: "+key.String())
	}
	for _, digest := range r.RevokedSets {
		lines = append(lines, "revoked set: "+digest.String())
	}
	for _, m := range r.Minimums {
		lines = append(lines, strings.TrimSpace("minimum version: "+m.Name+" ")+" "+m.Version)
	}
	return lines
}

// keyText is a key with its name.
func keyText(r roots.Root, key trust.PublicKey) string {
	if name := r.Name(key); name != "" {
		return key.String() + " " + name
	}
	return key.String()
}

// rootDiffVerb compares two roots.
type rootDiffVerb struct {
	Old string `arg:"" help:"The old root."`
	New string `arg:"" help:"The new root."`
}

// Run prints what only one of the two says, and whether the new one may follow the old one.
func (v *rootDiffVerb) Run(c *command) error {
	before, err := readRoot(v.Old)
	if err != nil {
		return err
	}
	after, err := readRoot(v.New)
	if err != nil {
		return err
	}
	a := rootDifference{Old: before.Version, New: after.Version,
		Removed: less(factLines(before.Root), factLines(after.Root)),
		Added:   less(factLines(after.Root), factLines(before.Root))}
	follows := "yes"
	if _, err := before.Next(after.signed); err != nil {
		a.Reason, a.Cause = string(refusal.Of(err)), err.Error()
		follows = "no: " + a.Cause
	}
	text := fmt.Sprintf("root %d -> root %d\n", a.Old, a.New)
	for _, line := range a.Removed {
		text += "- " + line + "\n"
	}
	for _, line := range a.Added {
		text += "+ " + line + "\n"
	}
	return c.answer(a, text+"a device accepts it: "+follows+"\n")
}

// rootDifference is the JSON answer.
type rootDifference struct {
	Old     uint64   `json:"old"`
	New     uint64   `json:"new"`
	Removed []string `json:"removed"`
	Added   []string `json:"added"`
	Reason  string   `json:"reason"` // why a device with the old root refuses the new one, or empty
	Cause   string   `json:"cause"`
}

// less returns the lines that are not in the other list.
func less(lines, other []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return slices.Contains(other, line) })
}
