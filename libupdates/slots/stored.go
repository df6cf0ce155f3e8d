package slots

import (
	"fmt"
	"io"
	"path"

	"nexus/libupdates/durable"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// stored is a set on disk, read with suspicion: a disk may rot, so every byte is held against the digest that covers it.
type stored struct {
	fs     durable.ReadFS
	digest nxs.Digest
}

func (s stored) dir() string { return setDir(s.digest) }

// rawIndex returns the bytes of the index after their digest was checked. It proves only that they are those the directory is named
// after: a signature, or whoever gave the digest, has to vouch for that.
func (s stored) rawIndex() ([]byte, error) {
	raw, err := readFile(s.fs, path.Join(s.dir(), indexFile), nxs.MaxIndex)
	if err != nil {
		return nil, err
	}
	if nxs.Sum(raw) != s.digest {
		return nil, refusal.New(refusal.DigestMismatch, "digest mismatch in %s", indexFile)
	}
	return raw, nil
}

// index returns the index of a digest that somebody vouches for.
func (s stored) index() (nxs.Index, error) {
	raw, err := s.rawIndex()
	if err != nil {
		return nxs.Index{}, err
	}
	return nxs.ParseIndex(raw)
}

// verifiedIndex returns the index after its signature passed; nothing in it is looked at before.
func (s stored) verifiedIndex(verify nxs.VerifyFunc) (nxs.Index, error) {
	raw, signature, err := s.signed()
	if err != nil {
		return nxs.Index{}, err
	}
	return nxs.VerifyIndex(raw, signature, verify)
}

// signed returns the raw index and its signature, neither of which was looked at.
func (s stored) signed() (index, signature []byte, err error) {
	if index, err = s.rawIndex(); err != nil {
		return nil, nil, err
	}
	signature, err = s.signature()
	return index, signature, err
}

func (s stored) signature() ([]byte, error) {
	return readFile(s.fs, path.Join(s.dir(), signatureFile), nxs.SignatureSize)
}

// checkBundles checks every manifest and every payload that the index names. Files it does not name are never looked at.
func (s stored) checkBundles(index nxs.Index) error {
	for _, entry := range index.Bundles {
		if _, err := s.manifest(entry); err != nil {
			return err
		}
		if err := s.checkPayload(entry); err != nil {
			return err
		}
	}
	return nil
}

// manifest returns a bundle's manifest after its digest was checked.
func (s stored) manifest(entry nxs.Entry) (nxb.Manifest, error) {
	raw, err := readFile(s.fs, manifestPath(s.dir(), entry.Name), nxs.MaxManifest)
	if err != nil {
		return nxb.Manifest{}, err
	}
	name := manifestPath("", entry.Name)
	if nxs.Sum(raw) != entry.ManifestSHA256 {
		return nxb.Manifest{}, refusal.New(refusal.DigestMismatch, "digest mismatch in %s", name)
	}
	manifest, err := nxb.ParseManifest(raw)
	switch {
	case err != nil:
		return nxb.Manifest{}, fmt.Errorf("%s: %w", name, err)
	case manifest.Name != entry.Name:
		return nxb.Manifest{}, refusal.New(refusal.NameMismatch, "name mismatch in %s", name)
	case manifest.Version != entry.Version:
		return nxb.Manifest{}, refusal.New(refusal.VersionMismatch, "version mismatch in %s", name)
	}
	return manifest, nil
}

// openPayload opens a payload of the signed size.
func (s stored) openPayload(entry nxs.Entry) (durable.ReadFile, error) {
	f, err := s.fs.Open(payloadPath(s.dir(), entry.Name))
	if err != nil {
		return nil, err
	}
	if f.Size() != entry.PayloadSize {
		f.Close()
		return nil, refusal.New(refusal.SizeMismatch, "size mismatch in %s", payloadPath("", entry.Name))
	}
	return f, nil
}

func (s stored) checkPayload(entry nxs.Entry) error {
	f, err := s.openPayload(entry)
	if err != nil {
		return err
	}
	defer f.Close()
	digest, _, err := nxs.Measure(f, entry.PayloadSize)
	if err != nil {
		return err
	}
	if digest != entry.PayloadSHA256 {
		return refusal.New(refusal.DigestMismatch, "digest mismatch in %s", payloadPath("", entry.Name))
	}
	return nil
}

// readFile reads a whole file of at most limit bytes.
func readFile(fs durable.ReadFS, name string, limit int64) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > limit {
		return nil, refusal.New(refusal.SizeMismatch, "%s is larger than %d bytes", name, limit)
	}
	raw := make([]byte, f.Size())
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	return raw, nil
}
