package nxs

import (
	"errors"
	"io"

	"nexus/libupdates/trust"
)

// Peek returns what an archive says about itself and skips its payloads, for an operator who is about to send it. It
// checks less than Inspect does; devices never call it.
func Peek(file io.ReaderAt, size int64, limits Limits) (*Inspection, error) {
	found := &Inspection{}
	f := NewFile(file, size, limits, func(message, signature []byte) (trust.PublicKey, error) {
		claimed, err := ParseIndex(message)
		found.SignatureValid = err == nil && claimed.Publisher.Signed(message, signature)
		return claimed.Publisher, err
	})
	head, err := f.Open()
	if err != nil {
		return nil, err
	}
	found.Head = *head
	for {
		b, err := f.walk.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		found.Manifests = append(found.Manifests, b.Manifest)
		f.walk.passPayload()
	}
}
