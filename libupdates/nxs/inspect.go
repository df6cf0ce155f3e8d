package nxs

import (
	"errors"
	"io"

	"nexus/libupdates/nxb"
	"nexus/libupdates/trust"
)

// Inspection is what an archive says about itself. It is no verification: nobody has vouched for the publisher it names.
type Inspection struct {
	Head
	SignatureValid bool           // whether the key that the index itself names made the signature
	Manifests      []nxb.Manifest // one for each of Index.Bundles
}

// Inspect reads a whole archive for an operator who asks to see what nobody has vouched for. It is the one function here that
// interprets an index without a trusted signature; a device never calls it. Reader, decoder and bounds are the same, every digest is
// checked, and an archive that breaks the format is refused for the same reasons; only a wrong signature is reported, not refused.
func Inspect(r io.Reader, size int64, limits Limits) (*Inspection, error) {
	found := &Inspection{}
	in := NewReader(r, size, limits, func(message, signature []byte) (trust.PublicKey, error) {
		claimed, err := ParseIndex(message)
		if err != nil {
			return trust.PublicKey{}, err
		}
		found.SignatureValid = claimed.Publisher.Signed(message, signature)
		return claimed.Publisher, nil
	})
	head, err := in.Open()
	if err != nil {
		return nil, err
	}
	found.Head = *head
	for {
		b, err := in.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		found.Manifests = append(found.Manifests, b.Manifest)
	}
}
