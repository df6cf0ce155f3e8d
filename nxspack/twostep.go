package nxspack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// With the key on another machine, a set is made in two steps: prepare writes what must be signed, attach takes the
// signature. Both make the index from the same input, so they share no other state.

// prepareVerb writes the index.
type prepareVerb struct {
	sourceFlags
	Publisher string `required:"" placeholder:"PUB" help:"The key that will sign: ${public}."`
	Output    string `required:"" placeholder:"FILE" help:"File for the bytes to sign. It must be outside --input."`
}

// Run writes the bytes that the publisher must sign.
func (v *prepareVerb) Run(ctx context.Context, c *command) error {
	set, err := v.prepare(v.Output, func() (indexSigner, error) {
		publisher, err := publicKey(v.Publisher)
		return attached{publisher: publisher}, err
	})
	if err != nil {
		return err
	}
	defer set.close()
	err = set.digestPayloads(ctx)
	if own, ok := errors.AsType[inputError](err); ok {
		return own.error
	}
	if err == nil {
		err = c.publishFile(v.Output, func(f *os.File) error {
			_, err := io.Copy(f, bytes.NewReader(set.rawIndex))
			return err
		})
	}
	if err != nil {
		return cannot("prepare", v.Output, err)
	}
	digest := nxs.Sum(set.rawIndex)
	return c.answer(struct {
		File          string `json:"file"`
		Size          int    `json:"size"`
		SystemVersion string `json:"systemVersion"`
		IndexSHA256   string `json:"indexSha256"`
		Publisher     string `json:"publisher"`
	}{v.Output, len(set.rawIndex), set.index.SystemVersion, digest.String(), set.index.Publisher.String()},
		fmt.Sprintf("%s: %d bytes to sign, of version %s\nindex sha256: %s\npublisher: %s\n", show(v.Output),
			len(set.rawIndex),
			set.index.SystemVersion, digest, set.index.Publisher))
}

// attachVerb packs a set with a signature that was made elsewhere.
type attachVerb struct {
	sourceFlags
	Publisher string `required:"" placeholder:"PUB" help:"The key that signed: ${public}."`
	Signature string `required:"" placeholder:"FILE" help:"The signature over the output of prepare: 64 bytes, or their hex or base64; or a file of minisign or signify."`
	Output    string `required:"" placeholder:"FILE.nxs" help:"File for the set. It must be outside --input."`
}

// Run makes the same set that pack makes with the key itself.
func (v *attachVerb) Run(ctx context.Context, c *command) error {
	return v.pack(ctx, c, v.Output, func() (indexSigner, error) {
		publisher, err := publicKey(v.Publisher)
		if err != nil {
			return nil, err
		}
		signature, err := readSignature(v.Signature)
		return attached{publisher, signature}, cannot("use", v.Signature, err)
	})
}

// attached is a signature that was made elsewhere, with its publisher.
type attached struct {
	publisher trust.PublicKey
	signature []byte
}

func (a attached) Public() trust.PublicKey { return a.publisher }

// Sign returns the signature if it is valid for this index.
func (a attached) Sign(index []byte) ([]byte, error) {
	if !a.publisher.Signed(index, a.signature) {
		err := refusal.New(refusal.InvalidSignature,
			"the signature is not that of %s over the index %s of this input", a.publisher, nxs.Sum(index))
		return nil,
			hinted{err, "run `nxs-pack prepare` again with the same input, and sign the raw bytes that it writes"}
	}
	return a.signature, nil
}
