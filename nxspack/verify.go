package nxspack

import (
	"context"
	"fmt"
	"io"

	"nexus/libupdates/nxs"
	"nexus/libupdates/trust"
)

// verifyVerb verifies a set.
type verifyVerb struct {
	Trust []string `sep:"none" xor:"whom" required:"" placeholder:"PUB" help:"A publisher to trust: ${public}. May be repeated."`
	Root  []string `xor:"whom" required:"" placeholder:"FILE" help:"Instead: files of roots, in order of their versions. Checks as a device with the last one does."`
	chainFlags
	Bundles   bool     `help:"Also check the signature of each bundle, as for a bundle outside a set; in a set, the signature of the index replaces it."`
	BundleKey []string `sep:"none" placeholder:"PUB" help:"With --bundles: the public key of another publisher of bundles. May be repeated."`
	limitFlags
	sdkFlag
	File string `arg:"" help:"The set, or a delta."`
}

// Run reports whether a device with these publishers, or this root, and limits would accept the set, and if not, why.
func (v *verifyVerb) Run(ctx context.Context, c *command) error {
	by, err := v.basis()
	if err != nil {
		return err
	}
	if isDelta(v.File) {
		return v.runDelta(ctx, c, by)
	}
	keys, err := v.bundleKeys(by)
	if err != nil {
		return err
	}
	head, err := verify(ctx, v.File, v.limits(), v.SDK, by)
	if err == nil && v.Bundles {
		err = verifyBundles(ctx, v.File, v.limits(), by, keys)
	}
	if err != nil {
		return cannot("verify", v.File, err)
	}
	return c.answer(verifiedSet(v.File, head, by),
		fmt.Sprintf("%s: version %s, %s, verified\nindex sha256: %s\nsigned by: %s\n%s", show(v.File),
			head.Index.SystemVersion,
			count(len(head.Index.Bundles), "bundle"), head.Digest, head.Index.Publisher, by.text()))
}

// basis returns what the device trusts.
func (v *verifyVerb) basis() (*basis, error) {
	if len(v.Root) == 0 {
		trusted, err := anchors(v.Trust)
		return &basis{anchors: trusted}, err
	}
	state, _, clock, err := v.begin(v.Root)
	return &basis{anchors: state.Root.Anchors(), state: &state, clock: clock}, err
}

// runDelta checks a delta: signatures, manifests, whole payloads and patches. Whether a patch makes the signed payload
// shows when it is applied, from the digest of the result.
func (v *verifyVerb) runDelta(ctx context.Context, c *command, by *basis) error {
	head, _, err := verifyDelta(ctx, v.File, v.limits(), by.verify,
		func(head *nxs.DeltaHead, b *nxs.DeltaBundle) error { return head.Index.CheckDemands(b.Manifest, v.SDK) })
	if err == nil {
		err = by.admit(&head.Head)
	}
	if err != nil {
		return cannot("verify", v.File, err)
	}
	return c.answer(verifiedSet(v.File, &head.Head, by),
		fmt.Sprintf("%s: delta to version %s, %s, verified\nindex sha256: %s\nsigned by: %s\n%s", show(v.File),
			head.Index.SystemVersion, count(len(head.Index.Bundles), "bundle"), head.Digest, head.Index.Publisher,
			by.text()))
}

// bundleKeys returns the keys that may have signed bundles.
func (v *verifyVerb) bundleKeys(by *basis) ([]trust.PublicKey, error) {
	keys := by.anchors.Keys(trust.RoleSystem)
	for _, source := range v.BundleKey {
		key, err := publicKey(source)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// verifyBundles checks the signature of each bundle of a set.
func verifyBundles(ctx context.Context, name string, limits nxs.Limits, by *basis, keys []trust.PublicKey) error {
	_, err := read(ctx, name, limits, by, func(*nxs.Head) error { return nil }, func(b *nxs.Bundle) error {
		check, err := b.Manifest.CheckSignature(keys)
		if err != nil {
			return err
		}
		if _, err := io.Copy(check, b.Payload); err != nil {
			return err
		}
		if !check.Passed() {
			return b.Manifest.NotSigned()
		}
		return nil
	})
	return err
}

// verified is the JSON answer for a set that passed.
type verified struct {
	File          string `json:"file"`
	SystemVersion string `json:"systemVersion"`
	IndexSHA256   string `json:"indexSha256"`
	SignedBy      string `json:"signedBy"`
	Root          uint64 `json:"root,omitempty"` // its version; absent without one
}

// verifiedSet is the answer for a set, checked by the publishers or the root of a basis.
func verifiedSet(file string, head *nxs.Head, by *basis) verified {
	a := verified{File: file, SystemVersion: head.Index.SystemVersion, IndexSHA256: head.Digest.String(),
		SignedBy: head.Index.Publisher.String()}
	if by.state != nil {
		a.Root = by.state.Root.Version
	}
	return a
}
