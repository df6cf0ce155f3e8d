package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"nexus/capnpgen/keystore"
	"nexus/capnpgen/operator"
	"nexus/daemons/convert"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// trustVerb is about the keys that a running system trusts.
type trustVerb struct {
	List   trustListVerb   `cmd:"" default:"1" help:"Show what is trusted for what."`
	Add    trustAddVerb    `cmd:"" help:"Trust a publisher's key."`
	Remove trustRemoveVerb `cmd:"" help:"Stop trusting a key."`
	Update trustUpdateVerb `cmd:"" help:"Use a root, or move on to its successors."`
}

// An anchor is one trusted key.
type anchor struct {
	Role string `json:"role"`
	Key  string `json:"publicKey"` // in hex
}

// An anchorChange is one key that was added or removed.
type anchorChange struct {
	anchor
	Kept bool `json:"kept"` // over the next start
}

// trustListVerb shows the keys, or the root.
type trustListVerb struct{}

// Run asks for them and shows them.
func (*trustListVerb) Run(ctx context.Context, in *invocation) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	return in.with(ctx, func(s *session) error {
		root, err := readRoot(ctx, &s.facets)
		if err != nil {
			return cannot("show root", "", err)
		}
		if root != nil {
			return in.answer(root.summary(), root.show)
		}
		keys, err := trustedKeys(ctx, &s.facets)
		if err != nil {
			return cannot("show keys", "", err)
		}
		return in.answer(folderSummary(keys), func(w io.Writer) {
			if len(keys) == 0 {
				fmt.Fprintln(w, "no key is trusted, so no set can be verified")
				return
			}
			rows := [][]string{{"ROLE", "KEY"}}
			for _, a := range keys {
				rows = append(rows, []string{a.Role, a.Key})
			}
			table(w, rows)
		})
	})
}

// trustAddVerb adds a key.
type trustAddVerb struct {
	Key  string `arg:"" placeholder:"KEY" help:"Public key: a file or its text."`
	Role string `enum:"system,apps" default:"system" help:"What it may sign: system (sets) or apps (single bundles)."`
}

// Run adds the key; it counts from now on.
func (v *trustAddVerb) Run(ctx context.Context, in *invocation) error {
	key, err := trust.ReadPublicKey(v.Key)
	if err != nil {
		return cannot("trust", trust.Shown(v.Key), err)
	}
	ctx, cancel := patient(ctx)
	defer cancel()
	return in.with(ctx, func(s *session) error {
		change, err := addKey(ctx, &s.facets, v.Role, key)
		if err != nil {
			return cannot("trust", trust.Shown(v.Key), err)
		}
		return in.answer(change, func(w io.Writer) {
			fmt.Fprintf(w, "trusted for the role %s: %s%s\n", v.Role, key, change.until())
		})
	})
}

// until says how long a change lasts if it is not permanent.
func (c anchorChange) until() string {
	if c.Kept {
		return ""
	}
	return ", until the machine restarts: then the keys in its image count again"
}

// trustRemoveVerb removes a key.
type trustRemoveVerb struct {
	Key  string `arg:"" placeholder:"KEY" help:"Public key: a file, its text, or a prefix of it in hex that no other key has."`
	Role string `enum:"system,apps" default:"system" help:"What it may no longer sign: system (sets) or apps (single bundles)."`
	Yes  bool   `short:"y" help:"Do not ask."`
}

// Run removes the key.
func (v *trustRemoveVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		key, err := findKey(ctx, &s.facets, v.Role, v.Key)
		if err != nil {
			return cannot("remove key", trust.Shown(v.Key), err)
		}
		question := fmt.Sprintf("Stop trusting %s? What it signed cannot run again, not even after a rollback.", key)
		if err := in.confirm(ctx, v.Yes, question); err != nil {
			return cannot("remove key", key.String(), err)
		}
		ctx, cancel := patient(ctx)
		defer cancel()
		change, err := removeKey(ctx, &s.facets, v.Role, key)
		if err != nil {
			return cannot("remove key", key.String(), err)
		}
		return in.answer(change, func(w io.Writer) {
			fmt.Fprintf(w, "no longer trusted for the role %s: %s%s\n", v.Role, key, change.until())
			fmt.Fprintf(w, "next: `nx trust add --role %s %s` undoes it\n", v.Role, key.Text())
		})
	})
}

// findKey returns the one trusted key of a role that is given as a file, as text, or as the start of it in hex.
func findKey(ctx context.Context, f *facets, role, meant string) (trust.PublicKey, error) {
	keys, err := trustedKeys(ctx, f)
	if err != nil {
		return trust.PublicKey{}, err
	}
	beginning := strings.ToLower(meant)
	if key, err := trust.ReadPublicKey(meant); err == nil {
		beginning = key.String()
	}
	var found []string
	for _, a := range keys {
		if a.Role == role && beginning != "" && strings.HasPrefix(a.Key, beginning) {
			found = append(found, a.Key)
		}
	}
	switch len(found) {
	case 0:
		return trust.PublicKey{}, refusal.New(refusal.NotTrusted, "no such key is trusted for the role %s", role)
	case 1:
		return trust.ParsePublicFile("key.pub", []byte(found[0]))
	default:
		return trust.PublicKey{}, refusal.New(refusal.NotTrusted, "it is the beginning of %d trusted keys", len(found))
	}
}

func trustedKeys(ctx context.Context, f *facets) ([]anchor, error) {
	list, done := f.trusted(ctx)
	defer done()
	return readAnchors(ctx, list)
}

func readAnchors(ctx context.Context, from keystore.TrustAnchors) ([]anchor, error) {
	answer, release := from.List(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	list, err := res.Anchors()
	if err != nil {
		return nil, err
	}
	var r reader
	keys := []anchor{}
	for i := range r.Items(list.Len()) {
		raw, err := list.At(i).PublicKey()
		r.Note(err)
		keys = append(keys, anchor{r.Text(list.At(i).Role()), hex.EncodeToString(raw)})
	}
	return keys, r.Err
}

func addKey(ctx context.Context, f *facets, role string, key trust.PublicKey) (c anchorChange, err error) {
	editor, done := f.trustEditor(ctx)
	defer done()
	answer, release := editor.Add(ctx, func(p operator.TrustEditor_add_Params) error {
		return errors.Join(p.SetRole(role), p.SetPublicKey(key[:]))
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return c, err
	}
	return anchorChange{anchor{role, key.String()}, res.Kept()}, convert.Refused(res.Refusal())
}

func removeKey(ctx context.Context, f *facets, role string, key trust.PublicKey) (c anchorChange, err error) {
	editor, done := f.trustEditor(ctx)
	defer done()
	answer, release := editor.Remove(ctx, func(p operator.TrustEditor_remove_Params) error {
		return errors.Join(p.SetRole(role), p.SetPublicKey(key[:]))
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return c, err
	}
	return anchorChange{anchor{role, key.String()}, res.Kept()}, convert.Refused(res.Refusal())
}
