package nxs

import (
	"context"
	"io"

	"nexus/libupdates/nxb"
	"nexus/libupdates/trust"
)

// Inspection is what an archive says about itself. It is no verification: nobody has vouched for the publisher it
// names.
type Inspection struct {
	Head
	SignatureValid bool           // whether the key that the index itself names made the signature
	Manifests      []nxb.Manifest // one for each of Index.Bundles
}

// Inspect reads a whole archive for an operator who asks to see what nobody has vouched for. It is the one function
// here that interprets an index without a trusted signature; a device never calls it. Decoder, bounds and checks are
// those of VerifyFile, every digest is checked, and an archive that breaks the format is refused for the same reasons;
// only a wrong signature is reported, not refused. The context ends it early.
func Inspect(ctx context.Context, file io.ReaderAt, size int64, limits Limits) (*Inspection, error) {
	found := &Inspection{}
	head, manifests, err := VerifyFile(ctx, file, size, limits,
		func(message, signature []byte) (trust.PublicKey, error) {
			claimed, err := ParseIndex(message)
			if err != nil {
				return trust.PublicKey{}, err
			}
			found.SignatureValid = claimed.Publisher.Signed(message, signature)
			return claimed.Publisher, nil
		})
	if err != nil {
		return nil, err
	}
	found.Head, found.Manifests = *head, manifests
	return found, nil
}
