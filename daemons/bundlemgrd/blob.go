package bundlemgrd

import "nexus/daemons/payload"

// An opener opens one of a bundle's files.
type opener func(*publication, published) (*payload.Blob, error)

func payloadOf(p *publication, b published) (*payload.Blob, error) {
	file, err := p.set.OpenPayload(b.Entry.Name)
	if err != nil {
		return nil, err
	}
	return &payload.Blob{File: file, Digest: b.Entry.PayloadSHA256}, nil
}

func manifestOf(p *publication, b published) (*payload.Blob, error) {
	file, err := p.set.OpenManifest(b.Entry.Name)
	if err != nil {
		return nil, err
	}
	return &payload.Blob{File: file, Digest: b.Entry.ManifestSHA256}, nil
}
