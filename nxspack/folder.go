package nxspack

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"nexus/libupdates/digest"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// A bundleFolder is a `<name>.nxb` folder on disk. Its manifest has been read and its payload is open.
type bundleFolder struct {
	path        string
	entry       nxs.Entry // its digests are those of the payload once that has been read
	rawManifest []byte
	payload     *payloadSource
	manifest    nxb.Manifest
	publisher   trust.PublicKey // of the set
}

// readFolders reads every bundle in a folder, in byte order of their names. It refuses anything that is not a bundle:
// if it were skipped silently, it would be missed only on the device.
func readFolders(dir string, d device) ([]bundleFolder, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, cannot("read", dir, err)
	}
	var bundles []bundleFolder
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		b, err := readFolder(path, e, d)
		if err != nil {
			closeFolders(bundles)
			return nil, cannot("pack", path, err)
		}
		bundles = append(bundles, b)
	}
	return sorted(bundles), nil
}

// closeFolders closes the payloads.
func closeFolders(bundles []bundleFolder) {
	for _, b := range bundles {
		b.payload.file.Close()
	}
}

func readFolder(path string, e os.DirEntry, d device) (bundleFolder, error) {
	name, ok := strings.CutSuffix(e.Name(), nxb.Suffix)
	if !ok || !e.IsDir() {
		return bundleFolder{}, refusal.New(refusal.UnexpectedEntry, "not a bundle folder: its name must be NAME.nxb")
	}
	if err := nxb.CheckName(name); err != nil {
		return bundleFolder{}, err
	}
	if err := checkContents(path); err != nil {
		return bundleFolder{}, err
	}
	raw, err := readManifest(filepath.Join(path, nxb.ManifestFile))
	if err != nil {
		return bundleFolder{}, err
	}
	m, err := nxb.ParseManifest(raw)
	if err != nil {
		return bundleFolder{}, err
	}
	payload, err := openPayload(path, name, d.limits.Payload)
	if err != nil {
		return bundleFolder{}, err
	}
	b := bundleFolder{path: path, rawManifest: raw, payload: payload, manifest: m}
	b.entry = nxs.Entry{Name: name, Version: m.Version, ManifestSHA256: nxs.Sum(raw), PayloadSize: payload.size(),
		Powers: m.Powers(), PayloadVerity: nxs.Digest{1}} // takes up its room in the index
	err = b.checkEarly(m)
	if err == nil {
		err = d.takes(m, payload.file, payload.size())
	}
	if err != nil {
		payload.file.Close()
		return bundleFolder{}, err
	}
	return b, nil
}

// checkEarly checks the manifest against the entry before the payload is read. The digest of a payload with the right
// size is not known yet, so it is assumed to match.
func (b bundleFolder) checkEarly(m nxb.Manifest) error {
	hopeful := b.entry
	if m.PayloadSize == uint64(hopeful.PayloadSize) {
		copy(hopeful.PayloadSHA256[:], m.PayloadDigest)
	}
	_, err := nxs.CheckManifest(hopeful, b.rawManifest)
	return err
}

// digested sets the payload's digests after all of it has been read, and checks the manifest against them.
func (b *bundleFolder) digested(sums digest.Sums) error {
	if err := b.payload.unchanged(); err != nil {
		return err
	}
	b.entry.PayloadSHA256, b.entry.PayloadVerity = sums.SHA256, sums.Verity
	if _, err := nxs.CheckManifest(b.entry, b.rawManifest); err != nil {
		return err
	}
	return b.checkSignature()
}

// checkSignature checks the bundle's own signature if it is by the set's publisher. The keys of other publishers are
// not known here.
func (b *bundleFolder) checkSignature() error {
	if !b.manifest.PublishedBy(b.publisher) {
		return nil
	}
	ok, err := b.publisher.SignedFrom(io.NewSectionReader(b.payload.file, 0, b.payload.size()), b.manifest.Signature)
	if err == nil && !ok {
		err = b.manifest.NotSigned()
	}
	return err
}

// checkContents checks that the folder holds exactly the two files, and that neither is a link.
func checkContents(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	found := map[string]bool{}
	for _, e := range entries {
		if e.Name() != nxb.ManifestFile && e.Name() != nxb.PayloadFile {
			return refusal.New(refusal.UnexpectedEntry, "%q is neither %s nor %s", e.Name(), nxb.ManifestFile, nxb.PayloadFile)
		}
		if !e.Type().IsRegular() {
			return refusal.New(refusal.BadEntryType, "%s is not a regular file", e.Name())
		}
		found[e.Name()] = true
	}
	for _, name := range []string{nxb.ManifestFile, nxb.PayloadFile} {
		if !found[name] {
			return refusal.New(refusal.MissingEntry, "%s is missing", name)
		}
	}
	return nil
}

func readManifest(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, nxs.MaxManifest+1))
	if err == nil && len(raw) > nxs.MaxManifest {
		err = refusal.New(refusal.ManifestTooLarge, "manifest is over the limit of %d bytes", nxs.MaxManifest)
	}
	return raw, err
}
