package nxspack

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// amendVerb adds further signatures and roots to a set.
type amendVerb struct {
	Key       []string `sep:"none" placeholder:"KEY" help:"${key} May be repeated."`
	Publisher string   `placeholder:"PUB" and:"attached" help:"The key that made --signature: ${public}."`
	Signature string   `placeholder:"FILE" and:"attached" help:"A further signature over the index, made elsewhere: 64 bytes, or their hex or base64; or a file of minisign or signify."`
	Roots     []string `placeholder:"FILE" help:"Files of roots, in order of their versions, for devices that have a root. May be repeated."`
	File      string   `arg:"" help:"The set."`
	Output    string   `required:"" placeholder:"FILE.nxs" help:"File for the set with the additions."`
}

// Validate wants something to add.
func (v *amendVerb) Validate() error {
	if len(v.Key)+len(v.Roots) == 0 && v.Signature == "" {
		return errors.New("want --key, --signature or --roots")
	}
	return nil
}

// Run writes the set again. Everything but the additions stays byte for byte.
func (v *amendVerb) Run(ctx context.Context, c *command) error {
	found, _, err := inspect(ctx, v.File)
	if err != nil {
		return cannot("inspect", v.File, err)
	}
	head := found.Head
	if head.More, err = v.signatures(ctx, c, head); err != nil {
		return err
	}
	if len(v.Roots) > 0 {
		if head.Roots, err = joinRoots(v.Roots); err != nil {
			return err
		}
	}
	if err := c.publishFile(v.Output, func(to *os.File) error {
		return copyAmended(ctx, v.File, to, found.Head,
			head)
	}); err != nil {
		return cannot("amend", v.File, err)
	}
	n := 1 + len(head.More)/trust.SignatureSize
	return c.answer(struct {
		File        string `json:"file"`
		IndexSHA256 string `json:"indexSha256"`
		Signatures  int    `json:"signatures"`
		RootBytes   int    `json:"rootBytes"`
	}{v.Output, head.Digest.String(), n, len(head.Roots)},
		fmt.Sprintf("%s: version %s, %s\nindex sha256: %s\n", show(v.Output), head.Index.SystemVersion,
			count(n, "signature"), head.Digest))
}

// signatures returns the further signatures of the set: those that it has, and the new ones.
func (v *amendVerb) signatures(ctx context.Context, c *command, head nxs.Head) ([]byte, error) {
	list, err := trust.ParseSignatures(head.More)
	if err != nil {
		return nil, cannot("inspect", v.File, err)
	}
	for _, name := range v.Key {
		key, err := c.signer(ctx, name)
		if err != nil {
			return nil, err
		}
		signature, err := sign(ctx, key, head.Raw)
		if err != nil {
			return nil, cannot("sign", v.File, err)
		}
		list = join([]trust.Signature{named(key.Public(), signature)}, list)
	}
	if v.Signature != "" {
		key, err := publicKey(v.Publisher)
		if err != nil {
			return nil, err
		}
		signature, err := readSignature(v.Signature)
		if err == nil && !key.Signed(head.Raw, signature) {
			err = refusal.New(refusal.InvalidSignature, "it is not that of %s over the index %s", key, head.Digest)
		}
		if err != nil {
			return nil, cannot("use", v.Signature, err)
		}
		list = join([]trust.Signature{named(key, signature)}, list)
	}
	if n := len(list); n > trust.MaxSignatures {
		return nil, cannot("amend", v.File, refusal.New(refusal.TooManySignatures,
			"%d signatures are over the limit of %d",
			n, trust.MaxSignatures))
	}
	return trust.EncodeSignatures(list), nil
}

func named(key trust.PublicKey, signature []byte) trust.Signature {
	return trust.Signature{Key: key, Bytes: [ed25519.SignatureSize]byte(signature)}
}

// joinRoots returns a file of the roots in these files.
func joinRoots(names []string) ([]byte, error) {
	var raw []byte
	for _, name := range names {
		chain, err := readRoots(name)
		if err != nil {
			return nil, cannot("read", name, err)
		}
		for _, s := range chain {
			raw = append(raw, s.Encode()...)
		}
		if len(raw) > roots.MaxChain {
			return nil, cannot("read", name, refusal.New(refusal.BadRoot, "the roots have more than %d bytes",
				roots.MaxChain))
		}
	}
	return raw, nil
}

// copyAmended writes a set with another beginning.
func copyAmended(ctx context.Context, name string, to io.Writer, before, after nxs.Head) error {
	return withArchive(name, func(f *os.File, _ int64) error {
		if err := nxs.WriteHead(to, &after); err != nil {
			return err
		}
		if _, err := f.Seek(nxs.HeadSize(&before), io.SeekStart); err != nil {
			return err
		}
		_, err := io.Copy(to, interruptible{ctx, f})
		return err
	})
}
