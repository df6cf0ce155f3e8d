package nxs

import (
	"context"
	"io"

	"nexus/libupdates/nxb"
	"nexus/libupdates/trust"
)

// An Inspection is what an archive says about itself. It is not a verification: the publisher that it names is not
// known to be trusted.
type Inspection struct {
	Head
	SignatureValid bool           // the key that the index names made the signature
	Manifests      []nxb.Manifest // one for each of Index.Bundles, in order
	Delta          *DeltaIndex    // of a delta; nil for a set
}

// Inspect reads a whole archive whose publisher need not be trusted, for an operator who asks to see it. Besides Peek
// it is the only function here that interprets an index without a trusted signature; devices never call it. Decoder,
// limits and checks are those of VerifyFile, every digest is checked, and a malformed archive is refused for the same
// reasons. Only a wrong signature is reported instead of refused. Canceling the context ends it early.
func Inspect(ctx context.Context, file io.ReaderAt, size int64, limits Limits) (*Inspection, error) {
	found := &Inspection{}
	head, manifests, err := VerifyFile(ctx, file, size, limits, found.claim)
	if err != nil {
		return nil, err
	}
	found.Head, found.Manifests = *head, manifests
	return found, nil
}

// claim takes the key that an index names for its publisher's, whoever made the signature.
func (i *Inspection) claim(message, signature []byte) (trust.PublicKey, error) {
	claimed, err := ParseIndex(message)
	i.SignatureValid = err == nil && claimed.Publisher.Signed(message, signature)
	return claimed.Publisher, err
}
