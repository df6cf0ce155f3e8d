package nxs

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
)

// Bundle is one bundle of a set, its manifest verified.
type Bundle struct {
	Entry
	Manifest    nxb.Manifest
	RawManifest []byte

	// Payload yields exactly PayloadSize bytes. Where the last of them is read it returns io.EOF if their digest is the
	// signed one, else the refusal DigestMismatch: bytes that were not followed by io.EOF are not verified.
	Payload io.Reader
}

// Next returns the next bundle, or io.EOF after the last one, when the end of the archive has been checked too. A
// payload that was not read to its end is read first.
func (r *Reader) Next() (*Bundle, error) {
	if r.err != nil {
		return nil, r.err
	}
	b, err := r.following()
	r.err = err
	return b, err
}

func (r *Reader) following() (*Bundle, error) {
	if err := r.closePayload(); err != nil {
		return nil, err
	}
	if r.next == len(r.index.Bundles) {
		if err := r.finish(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	b, err := r.bundle(r.index.Bundles[r.next])
	if err != nil {
		return nil, err
	}
	r.next++
	return b, nil
}

func (r *Reader) closePayload() error {
	if r.open == nil {
		return nil
	}
	_, err := io.Copy(io.Discard, r.open)
	r.open = nil
	return err
}

func (r *Reader) bundle(entry Entry) (*Bundle, error) {
	if err := r.skipDir(entry); err != nil {
		return nil, err
	}
	raw, err := r.manifest(entry)
	if err != nil {
		return nil, err
	}
	manifest, err := CheckManifest(entry, raw)
	if err != nil {
		return nil, err
	}
	h, err := r.due(entry.Name + suffixBundle + "/" + filePayload)
	if err != nil {
		return nil, err
	}
	if h.size != entry.PayloadSize {
		return nil, wrongSize(entry, h.size)
	}
	r.open = &payload{in: &r.in, entry: entry, left: entry.PayloadSize, hash: sha256.New()}
	return &Bundle{Entry: entry, Manifest: manifest, RawManifest: raw, Payload: r.open}, nil
}

func wrongSize(entry Entry, size int64) error {
	return refusal.New(refusal.SizeMismatch, "size mismatch in %s/%s: %d bytes, signed are %d", entry.Name, filePayload,
		size, entry.PayloadSize)
}

// skipDir lets the directory entry pass that may stand before a bundle.
func (r *Reader) skipDir(entry Entry) error {
	h, err := r.header()
	if errors.Is(err, errEnd) {
		return refusal.New(refusal.MissingEntry, "%s/%s is missing", entry.Name, fileManifest)
	}
	if err != nil {
		return err
	}
	if !h.dir {
		r.held = &h
		return nil
	}
	if h.name != entry.Name+suffixBundle+"/" {
		return r.other(h, entry.Name+suffixBundle+"/"+fileManifest)
	}
	return nil
}

func (r *Reader) manifest(entry Entry) ([]byte, error) {
	h, err := r.due(entry.Name + suffixBundle + "/" + fileManifest)
	if err != nil {
		return nil, err
	}
	if h.size > MaxManifest {
		return nil, refusal.New(refusal.ManifestTooLarge, "manifest of %s is %d bytes, over the limit of %d",
			entry.Name, h.size, MaxManifest)
	}
	raw, err := r.in.whole(h.size)
	if err != nil {
		return nil, err
	}
	if Sum(raw) != entry.ManifestSHA256 {
		return nil, refusal.New(refusal.DigestMismatch, "digest mismatch in %s/%s", entry.Name, fileManifest)
	}
	return raw, nil
}

// CheckManifest parses a manifest whose digest is the signed one and wants it to say what the index says.
func CheckManifest(entry Entry, raw []byte) (nxb.Manifest, error) {
	m, err := nxb.ParseManifest(raw)
	switch {
	case err != nil:
		return m, fmt.Errorf("%s/%s: %w", entry.Name, fileManifest, err)
	case m.Name != entry.Name:
		return m, refusal.New(refusal.NameMismatch, "manifest of %s names the bundle %s", entry.Name, m.Name)
	case m.Version != entry.Version:
		return m, refusal.New(refusal.VersionMismatch, "manifest of %s gives version %s, the index %s", entry.Name,
			m.Version, entry.Version)
	case len(m.PayloadDigest) == 0:
		return m, nil
	case !bytes.Equal(m.PayloadDigest, entry.PayloadSHA256[:]):
		return m, refusal.New(refusal.DigestMismatch, "manifest of %s gives another payload digest than the index",
			entry.Name)
	case m.PayloadSize != uint64(entry.PayloadSize):
		return m, refusal.New(refusal.SizeMismatch, "manifest of %s gives a payload of %d bytes, the index %d",
			entry.Name, m.PayloadSize, entry.PayloadSize)
	}
	return m, nil
}

// due reads the header of the file that must come now.
func (r *Reader) due(name string) (header, error) {
	h, err := r.header()
	switch {
	case errors.Is(err, errEnd):
		return h, refusal.New(refusal.MissingEntry, "%s is missing", shown(name))
	case err != nil:
		return h, err
	case h.name == name:
		return h, nil
	}
	return h, r.other(h, name)
}

// other says what an entry is that is not the one that is due. Whether that one is missing or merely comes later shows
// only further on, so the archive is read on; the refusal is decided.
func (r *Reader) other(h header, due string) error {
	switch at := r.place(h.name); {
	case at == unknown:
		return refusal.New(refusal.UnexpectedEntry, "%s is not in the index", shown(h.name))
	case at < r.place(due) && !h.dir:
		return refusal.New(refusal.DuplicateEntry, "%s stands twice", shown(h.name))
	case r.comesLater(h, due):
		return refusal.New(refusal.MisorderedEntry, "%s stands where %s must", shown(h.name), shown(due))
	}
	return refusal.New(refusal.MissingEntry, "%s is missing", shown(due))
}

// comesLater looks for an entry after h.
func (r *Reader) comesLater(h header, name string) bool {
	for {
		if r.in.skip(h.size) != nil {
			return false
		}
		next, err := r.header()
		if err != nil {
			return false
		}
		if next.name == name {
			return true
		}
		h = next
	}
}

// unknown is the place of what is not in the index.
const unknown = -1

// place is where in the archive an entry belongs.
func (r *Reader) place(name string) int {
	switch name {
	case IndexName:
		return 0
	case SignatureName:
		return 1
	}
	bundle, file, _ := strings.Cut(name, suffixBundle+"/")
	for i, e := range r.index.Bundles {
		if e.Name != bundle {
			continue
		}
		switch file {
		case "":
			return 3*i + 2
		case fileManifest:
			return 3*i + 3
		case filePayload:
			return 3*i + 4
		}
	}
	return unknown
}

// shown is an entry's name as people write it: `alpha/payload.elf` for `alpha.nxb/payload.elf`.
func shown(name string) string { return strings.Replace(name, suffixBundle+"/", "/", 1) }

// A payload reads one payload and verifies it.
type payload struct {
	in    *source
	entry Entry
	left  int64
	hash  hash.Hash
	err   error // what every read from now on returns
}

func (p *payload) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	if p.left == 0 {
		p.err = p.end()
		return 0, p.err
	}
	if int64(len(b)) > p.left {
		b = b[:p.left]
	}
	n, err := p.in.Read(b)
	p.hash.Write(b[:n])
	p.left -= int64(n)
	if err != nil {
		p.err = err
	}
	return n, err
}

// end checks padding and digest, once.
func (p *payload) end() error {
	if err := p.in.padding(p.entry.PayloadSize); err != nil {
		return err
	}
	if err := p.entry.checkPayload(Digest(p.hash.Sum(nil))); err != nil {
		return err
	}
	return io.EOF
}

// checkPayload wants the signed digest.
func (e Entry) checkPayload(sum Digest) error {
	if sum != e.PayloadSHA256 {
		return refusal.New(refusal.DigestMismatch, "digest mismatch in %s/%s", e.Name, filePayload)
	}
	return nil
}
