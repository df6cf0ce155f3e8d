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
	Trust     []string `required:"" sep:"none" placeholder:"PUB" help:"A publisher to trust: ${public}. May be repeated."`
	Bundles   bool     `help:"Also check the signature of each bundle, as for a bundle outside a set; in a set, the signature of the index replaces it."`
	BundleKey []string `sep:"none" placeholder:"PUB" help:"With --bundles: the public key of another publisher of bundles. May be repeated."`
	limitFlags
	sdkFlag
	File string `arg:"" help:"The set, or a delta."`
}

// Run reports whether a device with these publishers and limits would accept the set, and if not, why.
func (v *verifyVerb) Run(ctx context.Context, c *command) error {
	trusted, err := anchors(v.Trust)
	if err != nil {
		return err
	}
	if isDelta(v.File) {
		return v.runDelta(ctx, c, trusted)
	}
	keys, err := v.bundleKeys(trusted)
	if err != nil {
		return err
	}
	head, err := verify(ctx, v.File, v.limits(), v.SDK, trusted)
	if err == nil && v.Bundles {
		err = verifyBundles(ctx, v.File, v.limits(), trusted, keys)
	}
	if err != nil {
		return cannot("verify", v.File, err)
	}
	return c.answer(verified{v.File, head.Index.SystemVersion, head.Digest.String(), head.Index.Publisher.String()},
		fmt.Sprintf("%s: version %s, %s, verified\nindex sha256: %s\nsigned by: %s\n", show(v.File),
			head.Index.SystemVersion,
			count(len(head.Index.Bundles), "bundle"), head.Digest, head.Index.Publisher))
}

// runDelta checks a delta: signatures, manifests, whole payloads and patches. Whether a patch makes the signed payload
// shows when it is applied, from the digest of the result.
func (v *verifyVerb) runDelta(ctx context.Context, c *command, trusted trust.Anchors) error {
	head, _, err := verifyDelta(ctx, v.File, v.limits(), asSystem(trusted),
		func(head *nxs.DeltaHead, b *nxs.DeltaBundle) error { return head.Index.CheckDemands(b.Manifest, v.SDK) })
	if err != nil {
		return cannot("verify", v.File, err)
	}
	return c.answer(verified{v.File, head.Index.SystemVersion, head.Digest.String(), head.Index.Publisher.String()},
		fmt.Sprintf("%s: delta to version %s, %s, verified\nindex sha256: %s\nsigned by: %s\n", show(v.File),
			head.Index.SystemVersion, count(len(head.Index.Bundles), "bundle"), head.Digest, head.Index.Publisher))
}

// bundleKeys returns the keys that may have signed bundles.
func (v *verifyVerb) bundleKeys(trusted trust.Anchors) ([]trust.PublicKey, error) {
	var keys []trust.PublicKey
	for _, anchor := range trusted.List() {
		keys = append(keys, anchor.Key)
	}
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
func verifyBundles(ctx context.Context, name string, limits nxs.Limits, trusted trust.Anchors,
	keys []trust.PublicKey) error {
	_, err := read(ctx, name, limits, trusted, func(*nxs.Head) error { return nil }, func(b *nxs.Bundle) error {
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
}
