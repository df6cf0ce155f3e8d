package bundlemgrd

import "nexus/daemons/blob"

// An opener opens one of the files of a bundle.
type opener func(*publication, published) (*blob.Blob, error)

func payloadOf(p *publication, b published) (*blob.Blob, error) {
	file, err := p.set.OpenPayload(b.Entry.Name)
	if err != nil {
		return nil, err
	}
	return &blob.Blob{File: file, Digest: b.Entry.PayloadSHA256}, nil
}

func manifestOf(p *publication, b published) (*blob.Blob, error) {
	file, err := p.set.OpenManifest(b.Entry.Name)
	if err != nil {
		return nil, err
	}
	return &blob.Blob{File: file, Digest: b.Entry.ManifestSHA256}, nil
}
