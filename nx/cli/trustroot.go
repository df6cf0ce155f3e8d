package cli

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"nexus/capnpgen/operator"
	"nexus/daemons/convert"
	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// A trustedRoot is the root that a system uses.
type trustedRoot struct {
	roots.Root
	digest  string
	seen    uint64       // the largest time that was attested, in milliseconds since 1970 UTC
	earlier []roots.Root // oldest first, as far as they are kept
}

// rootSummary is the JSON answer.
type rootSummary struct {
	Root            uint64            `json:"root"` // its version; 0: there is none, and a folder of keys counts
	Family          string            `json:"family"`
	SHA256          string            `json:"sha256"`
	IssuedUnixMs    uint64            `json:"issuedUnixMs"`
	ExpiresUnixMs   uint64            `json:"expiresUnixMs"` // 0 if never
	SeenUnixMs      uint64            `json:"seenUnixMs"`
	Grants          []rootGrant       `json:"grants"`
	RevokedKeys     []string          `json:"revokedKeys"`
	RevokedSets     []string          `json:"revokedSets"`
	MinimumVersions map[string]string `json:"minimumVersions"` // by bundle; the empty name is the set
	Expired         []expiry          `json:"expired"`         // by the time that was attested
	ExpiresNext     *expiry           `json:"expiresNext"`     // null if nothing does
}

// An expiry is what expires, and when.
type expiry struct {
	What   string `json:"what"`
	UnixMs uint64 `json:"unixMs"`
}

type rootGrant struct {
	Role          string    `json:"role"`
	Threshold     int       `json:"threshold"`
	Keys          []rootKey `json:"keys"`
	Names         []string  `json:"names"` // empty: all
	ExpiresUnixMs uint64    `json:"expiresUnixMs"`
}

type rootKey struct {
	Key         string `json:"publicKey"`
	Name        string `json:"name"`
	SinceRoot   uint64 `json:"sinceRoot"` // the first root, without a gap to the present one, that gives it the role; or 0
	SinceUnixMs uint64 `json:"sinceUnixMs"`
}

// folderSummary is the answer where there is no root: any one key of a role signs for it, for all names and for ever.
func folderSummary(keys []anchor) rootSummary {
	a := emptySummary()
	for _, key := range keys {
		i := slices.IndexFunc(a.Grants, func(g rootGrant) bool { return g.Role == key.Role })
		if i < 0 {
			i = len(a.Grants)
			a.Grants = append(a.Grants, rootGrant{Role: key.Role, Threshold: 1, Names: []string{}})
		}
		a.Grants[i].Keys = append(a.Grants[i].Keys, rootKey{Key: key.Key})
	}
	return a
}

// emptySummary has no list that is null.
func emptySummary() rootSummary {
	return rootSummary{Grants: []rootGrant{}, RevokedKeys: []string{}, RevokedSets: []string{},
		MinimumVersions: map[string]string{}, Expired: []expiry{}}
}

func (r *trustedRoot) summary() rootSummary {
	a := emptySummary()
	a.Root, a.Family, a.SHA256 = r.Version, r.Family, r.digest
	a.IssuedUnixMs, a.ExpiresUnixMs, a.SeenUnixMs = r.Issued, r.Expires, r.seen
	for _, g := range r.Grants {
		grant := rootGrant{Role: string(g.Role), Threshold: g.Threshold, Names: append([]string{}, g.Names...),
			ExpiresUnixMs: g.Expires}
		for _, key := range g.Keys {
			since := r.since(g.Role, key)
			grant.Keys = append(grant.Keys, rootKey{key.String(), r.Name(key), since.Version, since.Issued})
		}
		a.Grants = append(a.Grants, grant)
	}
	for _, key := range r.RevokedKeys {
		a.RevokedKeys = append(a.RevokedKeys, key.String())
	}
	for _, digest := range r.RevokedSets {
		a.RevokedSets = append(a.RevokedSets, digest.String())
	}
	for _, m := range r.Minimums {
		a.MinimumVersions[m.Name] = m.Version
	}
	a.Expired, a.ExpiresNext = r.expiries()
	return a
}

// since returns the first of the roots, without a gap to the present one, that gives the key this role.
func (r *trustedRoot) since(role trust.Role, key trust.PublicKey) roots.Root {
	first := r.Root
	for _, root := range slices.Backward(r.earlier) {
		if !slices.Contains(root.Anchors().Keys(role), key) {
			break
		}
		first = root
	}
	return first
}

// show prints what is trusted for what, since when, and what expires next.
func (r *trustedRoot) show(w io.Writer) {
	fmt.Fprintf(w, "root %d of %s, issued %s\nsha256: %s\ntime: not before %s\n", r.Version, r.Family, day(r.Issued),
		r.digest, day(r.seen))
	rows := [][]string{{"ROLE", "NEEDS", "KEY", "NAME", "SINCE", "FOR"}}
	for _, g := range r.Grants {
		role, needs := string(g.Role), fmt.Sprintf("%d of %d", g.Threshold, len(g.Keys))
		for _, key := range g.Keys {
			since := r.since(g.Role, key)
			rows = append(rows, []string{role, needs, key.String(), r.Name(key),
				fmt.Sprintf("root %d, %s", since.Version, day(since.Issued)), strings.Join(g.Names, " ")})
			role, needs = "", ""
		}
	}
	table(w, rows)
	if len(r.RevokedKeys)+len(r.RevokedSets) > 0 {
		fmt.Fprintf(w, "revoked: %s, %s\n", count(len(r.RevokedKeys), "key"), count(len(r.RevokedSets), "set"))
	}
	for _, m := range r.Minimums {
		fmt.Fprintf(w, "minimum version: %s %s\n", cmp.Or(m.Name, "the set"), m.Version)
	}
	over, next := r.expiries()
	for _, e := range over {
		fmt.Fprintf(w, "expired: %s, %s\n", e.What, day(e.UnixMs))
	}
	if next != nil {
		fmt.Fprintf(w, "expires next: %s, %s\n", next.What, day(next.UnixMs))
	}
}

// expiries returns what has expired by the time that was attested, and what expires next; nil if nothing does.
func (r *trustedRoot) expiries() (over []expiry, next *expiry) {
	all := []expiry{{"the root", r.Expires}}
	for _, g := range r.Grants {
		what := "the role " + string(g.Role)
		if len(g.Names) > 0 {
			what += " for " + strings.Join(g.Names, " ")
		}
		all = append(all, expiry{what, g.Expires})
	}
	over = []expiry{}
	for _, e := range all {
		switch {
		case e.UnixMs == 0:
		case e.UnixMs <= r.seen:
			over = append(over, e)
		case next == nil || e.UnixMs < next.UnixMs:
			next = &e
		}
	}
	return over, next
}

// day returns a time in milliseconds since 1970 UTC as text.
func day(ms uint64) string {
	const year9999 = 253402300799999
	return time.UnixMilli(int64(min(ms, year9999))).UTC().Format(time.RFC3339)
}

// readRoot asks for the root, which is nil if the system uses a folder of keys.
func readRoot(ctx context.Context, f *facets) (*trustedRoot, error) {
	trusted, done := f.trusted(ctx)
	defer done()
	answer, release := trusted.Root(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	raw, err := res.Root()
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	chain, err := roots.Split(raw)
	if err != nil {
		return nil, err
	}
	root, err := roots.Parse(chain[0].Document)
	if err != nil {
		return nil, err
	}
	earlier, err := res.Earlier()
	if err != nil {
		return nil, err
	}
	before, err := parseRoots(earlier)
	return &trustedRoot{root, chain[0].Digest().String(), res.SeenUnixMs(), before}, err
}

// parseRoots parses a file of roots, which may be empty.
func parseRoots(raw []byte) (all []roots.Root, err error) {
	if len(raw) == 0 {
		return nil, nil
	}
	chain, err := roots.Split(raw)
	for i := 0; err == nil && i < len(chain); i++ {
		var root roots.Root
		root, err = roots.Parse(chain[i].Document)
		all = append(all, root)
	}
	return all, err
}

// trustUpdateVerb moves on to other roots.
type trustUpdateVerb struct {
	Files []string `arg:"" placeholder:"FILE" help:"Files of roots, in order of their versions."`
	Pin   string   `placeholder:"SHA256" help:"Where there is no root yet: the digest of the one to begin with, as its maker tells it. Without it, the first one is shown and you are asked."`
	Yes   bool     `short:"y" help:"Do not ask."`
}

// rootChange is the JSON answer.
type rootChange struct {
	Before uint64 `json:"before"` // version; 0: there was no root
	Root   uint64 `json:"root"`
	Kept   bool   `json:"kept"` // over the next start

	Stopped []string `json:"stopped"` // versions of sets in the slots that cannot run any more
}

// Run hands the roots over.
func (v *trustUpdateVerb) Run(ctx context.Context, in *invocation) error {
	raw, err := readRootFiles(v.Files)
	if err != nil {
		return err
	}
	return in.with(ctx, func(s *session) error {
		change, err := v.update(ctx, in, s, raw)
		if err != nil {
			return cannot("accept root", v.Files[len(v.Files)-1], err)
		}
		return in.answer(change, func(w io.Writer) {
			if change.Before == change.Root {
				fmt.Fprintf(w, "already at root %d\n", change.Root)
				return
			}
			until := anchorChange{Kept: change.Kept}.until()
			fmt.Fprintf(w, "root %d from now on%s\n", change.Root, until)
			for _, version := range change.Stopped {
				fmt.Fprintf(w, "warning: %s, which a slot holds, cannot run any more: there is no way back to it\n",
					clean(version))
			}
		})
	})
}

func (v *trustUpdateVerb) update(ctx context.Context, in *invocation, s *session,
	raw []byte) (c rootChange, err error) {
	asked, cancel := patient(ctx)
	before, err := readRoot(asked, &s.facets)
	cancel()
	if err != nil {
		return c, err
	}
	var pin []byte
	if before != nil {
		c.Before = before.Version
	} else if pin, err = v.pin(ctx, in, raw); err != nil {
		return c, err
	}
	ctx, cancel = patient(ctx)
	defer cancel()
	return updateRoot(ctx, &s.facets, c, raw, pin)
}

// pin returns the digest of the root to begin with: the one that was named, or the first, if the operator agrees.
func (v *trustUpdateVerb) pin(ctx context.Context, in *invocation, raw []byte) ([]byte, error) {
	if v.Pin != "" {
		pin, err := hex.DecodeString(v.Pin)
		if err != nil || len(pin) != len(roots.Digest{}) {
			return nil, refusal.New(refusal.RootNotPinned, "%.80q is not a SHA-256 in hex", v.Pin)
		}
		return pin, nil
	}
	chain, err := roots.Split(raw)
	if err != nil {
		return nil, err
	}
	first := chain[0].Digest()
	root, err := roots.Parse(chain[0].Document)
	if err != nil {
		return nil, err
	}
	question := fmt.Sprintf(
		"Use root %d of %s, %s, instead of the folder of keys? Only its successors can change that.",
		root.Version, root.Family, first)
	return first[:], in.confirm(ctx, v.Yes, question)
}

// readRootFiles reads the files one after the other.
func readRootFiles(names []string) ([]byte, error) {
	var raw []byte
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, cannot("read", name, plain(err))
		}
		part, err := io.ReadAll(io.LimitReader(f, roots.MaxChain+1))
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, cannot("read", name, plain(err))
		}
		if raw = append(raw, part...); len(raw) > roots.MaxChain {
			return nil, cannot("read", name, refusal.New(refusal.BadRoot, "the roots have more than %d bytes",
				roots.MaxChain))
		}
	}
	return raw, nil
}

func updateRoot(ctx context.Context, f *facets, c rootChange, raw, pin []byte) (rootChange, error) {
	editor, done := f.trustEditor(ctx)
	defer done()
	answer, release := editor.Update(ctx, func(p operator.TrustEditor_update_Params) error {
		return errors.Join(p.SetRoots(raw), p.SetPin(pin))
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return c, err
	}
	c.Root, c.Kept = res.Version(), res.Kept()
	if err := convert.Refused(res.Refusal()); err != nil {
		return c, err
	}
	var r reader
	c.Stopped = append([]string{}, r.Texts(res.Stopped())...)
	return c, r.Err
}
