package nxs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
)

// A Bundle is one bundle of a set. Its manifest has been verified.
type Bundle struct {
	Entry
	Manifest    nxb.Manifest
	RawManifest []byte
	Offset      int64 // of the payload in the archive

	// Payload yields exactly PayloadSize bytes. The read after the last byte returns io.EOF if their digest is the
	// signed one, and the refusal DigestMismatch otherwise. Until io.EOF has been returned, the bytes are unverified.
	// If the archive's source stands in for the payload, the first read returns ErrHeld.
	Payload io.Reader
}

// A HeldError is what the source of an archive returns in place of all bytes of a payload: the receiver holds it, and
// has verified every byte of it for this set.
type HeldError struct{ Payload Digest }

// Error implements error.
func (e *HeldError) Error() string {
	return fmt.Sprintf("the payload %s is held, and does not come", e.Payload)
}

// ErrHeld is returned by the Payload of a bundle for which the source stands in.
var ErrHeld = errors.New("the payload is held, and does not come")

// Next returns the next bundle. After the last one it checks the end of the archive and returns io.EOF. If the previous
// payload was not read to its end, Next reads the rest first.
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
	if err == ErrHeld {
		return nil
	}
	return err
}

func (r *Reader) bundle(entry Entry) (*Bundle, error) {
	b, err := r.described(entry)
	if err == nil {
		err = r.openPayload(b)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// described reads what precedes the payload of a bundle.
func (r *Reader) described(entry Entry) (*Bundle, error) {
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
	return &Bundle{Entry: entry, Manifest: manifest, RawManifest: raw}, nil
}

// openPayload reads the header of a bundle's payload and sets its Payload.
func (r *Reader) openPayload(b *Bundle) error {
	h, err := r.due(b.Name + nxb.Suffix + "/" + nxb.PayloadFile)
	if err != nil {
		return err
	}
	if h.size != b.PayloadSize {
		return wrongSize(b.Entry, h.size)
	}
	r.open = &payload{in: &r.in, entry: b.Entry, left: b.PayloadSize, sums: b.Entry.tally(b.kinds())}
	b.Offset, b.Payload = r.Offset(), r.open
	return nil
}

func wrongSize(entry Entry, size int64) error {
	return refusal.New(refusal.SizeMismatch, "size mismatch in %s/%s: %d bytes, want %d", entry.Name, nxb.PayloadFile,
		size, entry.PayloadSize)
}

// skipDir skips the optional directory entry before a bundle.
func (s *entries) skipDir(entry Entry) error {
	h, err := s.header()
	if errors.Is(err, errEnd) {
		return refusal.New(refusal.MissingEntry, "%s/%s is missing", entry.Name, nxb.ManifestFile)
	}
	if err != nil {
		return err
	}
	if !h.dir {
		s.held = &ahead{header: h}
		return nil
	}
	if h.name != entry.Name+nxb.Suffix+"/" {
		return s.other(h, entry.Name+nxb.Suffix+"/"+nxb.ManifestFile)
	}
	return nil
}

func (r *Reader) manifest(entry Entry) ([]byte, error) {
	h, err := r.due(entry.Name + nxb.Suffix + "/" + nxb.ManifestFile)
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
		return nil, refusal.New(refusal.DigestMismatch, "digest mismatch in %s/%s", entry.Name, nxb.ManifestFile)
	}
	return raw, nil
}

// CheckManifest parses a manifest whose digest has been verified, and checks that it agrees with the index.
func CheckManifest(entry Entry, raw []byte) (nxb.Manifest, error) {
	m, err := nxb.ParseManifest(raw)
	switch {
	case err != nil:
		return m, fmt.Errorf("%s/%s: %w", entry.Name, nxb.ManifestFile, err)
	case m.Name != entry.Name:
		return m, refusal.New(refusal.NameMismatch, "manifest of %s names the bundle %s", entry.Name, m.Name)
	case m.Version != entry.Version:
		return m, refusal.New(refusal.VersionMismatch, "manifest of %s has version %s, the index has %s", entry.Name,
			m.Version, entry.Version)
	case !slices.Equal(m.Powers(), entry.Powers):
		return m, refusal.New(refusal.PowersMismatch, "manifest of %s asks for %s, the index has %s", entry.Name,
			listed(m.Powers()), listed(entry.Powers))
	case len(m.PayloadDigest) == 0:
		return m, nil
	case !bytes.Equal(m.PayloadDigest, entry.PayloadSHA256[:]):
		return m, refusal.New(refusal.DigestMismatch, "manifest of %s has a different payload digest than the index",
			entry.Name)
	case m.PayloadSize != uint64(entry.PayloadSize):
		return m, refusal.New(refusal.SizeMismatch, "manifest of %s has payload size %d, the index has %d",
			entry.Name, m.PayloadSize, entry.PayloadSize)
	}
	return m, nil
}

// listed shows powers in messages.
func listed(powers []string) string {
	if len(powers) == 0 {
		return "no power"
	}
	return fmt.Sprintf("%q", powers)
}

// due reads the next header, which must be that of the named file.
func (s *entries) due(name string) (header, error) {
	h, err := s.header()
	switch {
	case errors.Is(err, errEnd):
		return h, refusal.New(refusal.MissingEntry, "%s is missing", shown(name))
	case err != nil:
		return h, err
	case h.name == name:
		return h, nil
	}
	return h, s.other(h, name)
}

// other returns the refusal for entry h, found where the entry due was expected. To tell a missing entry from a
// misordered one it reads ahead; the archive is refused in either case.
func (s *entries) other(h header, due string) error {
	switch at := s.place(h.name); {
	case at == unknown:
		return refusal.New(refusal.UnexpectedEntry, "%s is not in the index", shown(h.name))
	case at < s.place(due) && !h.dir:
		return refusal.New(refusal.DuplicateEntry, "duplicate entry %s", shown(h.name))
	case s.comesLater(h, due):
		return refusal.New(refusal.MisorderedEntry, "%s is out of order: want %s", shown(h.name), shown(due))
	}
	return refusal.New(refusal.MissingEntry, "%s is missing", shown(due))
}

// comesLater reports whether an entry of this name follows h.
func (s *entries) comesLater(h header, name string) bool {
	for {
		if s.in.skip(h.size) != nil {
			return false
		}
		next, err := s.header()
		if err != nil {
			return false
		}
		if next.name == name {
			return true
		}
		h = next
	}
}

// unknown is the place of an entry that is not in the index.
const unknown = -1

// place returns the position of an entry in the archive, or unknown.
func (s *entries) place(name string) int {
	heads := []string{RootsName, IndexName, SignatureName, SignaturesName}
	if at := slices.Index(heads, name); at >= 0 {
		return at
	}
	bundle, file, _ := strings.Cut(name, nxb.Suffix+"/")
	for i, e := range s.index.Bundles {
		if e.Name != bundle {
			continue
		}
		switch file {
		case "":
			return 3*i + 4
		case nxb.ManifestFile:
			return 3*i + 5
		case nxb.PayloadFile:
			return 3*i + 6
		}
	}
	return unknown
}

// shown returns an entry's name for messages: `alpha/payload.elf` for `alpha.nxb/payload.elf`.
func shown(name string) string { return strings.Replace(name, nxb.Suffix+"/", "/", 1) }

// A payload reads and verifies one payload.
type payload struct {
	in    *source
	entry Entry
	left  int64
	sums  *tally
	err   error // returned by all further reads
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
	p.sums.Write(b[:n])
	p.left -= int64(n)
	if p.in.held != nil {
		err = p.held(p.in.held)
	}
	if err != nil {
		p.err = err
	}
	return n, err
}

// held goes on behind the payload if it is the one that is held, and nothing of it has come.
func (p *payload) held(held *HeldError) error {
	if p.left != p.entry.PayloadSize || held.Payload != p.entry.PayloadSHA256 {
		return errMisplaced(held)
	}
	p.in.held = nil
	p.in.left -= p.left
	p.left = 0
	if err := p.in.padding(p.entry.PayloadSize); err != nil {
		return err
	}
	return ErrHeld
}

// end checks padding and digest. It is called once.
func (p *payload) end() error {
	if err := p.in.padding(p.entry.PayloadSize); err != nil {
		return err
	}
	if err := p.sums.check(); err != nil {
		return err
	}
	return io.EOF
}
