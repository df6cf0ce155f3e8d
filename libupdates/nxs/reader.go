package nxs

import (
	"errors"
	"io"
	"slices"

	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// Names of the two entries that every set begins with, and of the two that a set may have around them: roots before the
// index, and further signatures behind the first.
const (
	RootsName      = "root.nxroot"
	IndexName      = "system.nxsindex"
	SignatureName  = "system.sig.ed25519"
	SignaturesName = "system.sigs.ed25519"
)

// A VerifyFunc returns the trusted key that made the signature over the raw message, or a refusal. The proof is that
// signature, and behind it the list of further ones, if the set has any (trust.SplitProof). Anchors.Verify of package
// trust is one.
type VerifyFunc func(message, proof []byte) (trust.PublicKey, error)

// A RootsFunc takes the roots that a set brings (package roots), or refuses them and with them the set. It is called
// before the index is read, with bytes of which nothing is verified.
type RootsFunc func(raw []byte) error

// A Head is the verified beginning of a set.
type Head struct {
	Index     Index
	Raw       []byte // the index as it is in the archive
	Signature []byte
	More      []byte // further signatures (trust.ParseSignatures); empty if the set has none
	Roots     []byte // the roots that the set brings; empty if none
	Digest    Digest // of Raw; it identifies the set
}

// Proof returns all signatures, as a VerifyFunc takes them.
func (h *Head) Proof() []byte { return slices.Concat(h.Signature, h.More) }

// A Reader reads one set from a stream, once, from the beginning. Call Open first, then Next until it returns io.EOF.
// Errors are final: every further call returns the same error.
//
// The order of the checks is guaranteed: sizes, the signature over the raw index, trust in the key that made it, the
// form of the index; then, entry by entry, name, order, size and digest, and that the manifest agrees with the index.
// Nothing is read before all that precedes it has passed.
type Reader struct {
	entries
	limits Limits
	verify VerifyFunc
	roots  RootsFunc // nil: roots are skipped
	next   int       // position in the index of the next bundle
	open   *payload  // the last payload handed out
	err    error     // returned by all further calls
}

// entries are those of an archive, one after the other.
type entries struct {
	in    source
	size  int64
	index Index  // what may follow, once it is verified
	held  *ahead // a header that was read ahead
}

// An ahead is a header that was read before its turn, or why it could not be, and how many bytes it took.
type ahead struct {
	header header
	err    error
	size   int64
}

// NewReader returns a Reader of a set of exactly size bytes. Limits above MaxPolicy count as MaxPolicy.
func NewReader(r io.Reader, size int64, limits Limits, verify VerifyFunc) *Reader {
	limits = Limits{Archive: min(limits.Archive, MaxPolicy), Payload: min(limits.Payload, MaxPolicy)}
	return &Reader{
		entries: entries{in: source{r: r, left: size}, size: size},
		limits:  limits,
		verify:  verify,
		err:     errNotOpen,
	}
}

// Calls in the wrong order are a bug of the caller. They must not look like the verified end of a set.
var (
	errNotOpen = errors.New("cannot read set: Open has not been called")
	errOpened  = errors.New("cannot open set: already opened")
)

// TakeRoots has the roots of the set given to a function. Call it before Open.
func (r *Reader) TakeRoots(take RootsFunc) { r.roots = take }

// Offset returns how many bytes of the archive have been read, for progress displays.
func (r *Reader) Offset() int64 { return r.size - r.in.left }

// Open reads and verifies the index and its signature. No part of the index is interpreted before the signature has
// been verified.
func (r *Reader) Open() (*Head, error) {
	return r.openBy(func(head *Head) error { return r.checkSizes(head.Index) })
}

// OpenAny opens a set, as Open does, or a delta. If it is a delta, the DeltaReader returned reads the rest of it;
// otherwise that is nil.
func (r *Reader) OpenAny() (*Head, *DeltaReader, error) {
	d := &DeltaReader{walk: r}
	head, err := r.openBy(func(head *Head) error {
		if next := r.lookAhead(); next.err == nil && next.header.name == DeltaName {
			return d.readDelta(head)
		}
		return r.checkSizes(head.Index)
	})
	if d.head == nil {
		d = nil
	}
	return head, d, err
}

// openBy reads and verifies the index and its signature, and then calls finish.
func (r *Reader) openBy(finish func(*Head) error) (*Head, error) {
	if r.err == nil {
		return nil, errOpened
	}
	if r.err != errNotOpen {
		return nil, r.err
	}
	head, err := r.head()
	if err == nil {
		err = finish(head)
	}
	if r.err = err; err != nil {
		return nil, err
	}
	return head, nil
}

// head reads and verifies the index and its signature.
func (r *Reader) head() (*Head, error) {
	if r.size > r.limits.Archive {
		return nil, refusal.New(refusal.ArchiveTooLarge, "archive of %d bytes is over the limit of %d", r.size,
			r.limits.Archive)
	}
	roots, err := r.readRoots()
	if err != nil {
		return nil, err
	}
	raw, err := r.readIndex()
	if err != nil {
		return nil, err
	}
	head := &Head{Raw: raw, Roots: roots, Digest: Sum(raw)}
	if head.Signature, err = r.readSignature(); err != nil {
		return nil, err
	}
	if err := r.verifyHead(head); err != nil {
		return nil, err
	}
	r.index = head.Index
	return head, nil
}

func (r *Reader) readIndex() ([]byte, error) {
	h, err := r.header()
	if errors.Is(err, errEnd) {
		return nil, refusal.New(refusal.MissingEntry, "the archive is empty: there is no %s", IndexName)
	}
	if err != nil {
		return nil, atStart(err)
	}
	if h.name == RootsName {
		return nil, refusal.New(refusal.DuplicateEntry, "duplicate entry %s", RootsName)
	}
	if h.name == SignatureName && r.indexFollows(h) {
		return nil, refusal.New(refusal.MisorderedEntry, "%s is out of order: want %s", SignatureName, IndexName)
	}
	if h.name != IndexName {
		return nil, refusal.New(refusal.MissingEntry, "the archive begins with %s, want %s", h.name, IndexName)
	}
	if h.size > MaxIndex {
		return nil, refusal.New(refusal.IndexTooLarge, "index of %d bytes is over the limit of %d", h.size, MaxIndex)
	}
	return r.in.whole(h.size)
}

// indexFollows reports whether a signature that came first is followed by the index. It looks no further: nothing in
// the archive is verified yet.
func (r *Reader) indexFollows(signature header) bool {
	if signature.size != SignatureSize || r.in.skip(signature.size) != nil {
		return false
	}
	h, err := r.header()
	return err == nil && h.name == IndexName
}

func (r *Reader) readSignature() ([]byte, error) {
	h, err := r.header()
	switch {
	case err == nil && h.name == IndexName:
		return nil, refusal.New(refusal.DuplicateEntry, "duplicate entry %s", IndexName)
	case errors.Is(err, errEnd), err == nil && h.name != SignatureName:
		return nil, refusal.New(refusal.Unsigned, "the set is not signed: there is no %s after the index",
			SignatureName)
	case err != nil:
		return nil, err
	case h.size != SignatureSize:
		return nil, refusal.New(refusal.BadSignatureLength, "signature has %d bytes, want %d", h.size, SignatureSize)
	}
	return r.in.whole(h.size)
}

// checkSizes checks the signed sizes against the policy and against the rest of the archive. The index gives all sizes
// except those of the manifests, and only directory entries are optional. So the rest of the archive has a lower and an
// upper bound.
func (r *Reader) checkSizes(index Index) error {
	least := int64(2 * blockSize)
	for _, e := range index.Bundles {
		if err := r.checkPayloadSize(e); err != nil {
			return err
		}
		least += 2*blockSize + padded(e.PayloadSize)
	}
	if r.left() < least {
		return r.short(index)
	}
	return r.checkRest(least + int64(len(index.Bundles))*(blockSize+MaxManifest))
}

// left returns how many bytes of the archive have not had their turn.
func (s *entries) left() int64 {
	if s.held != nil {
		return s.in.left + s.held.size
	}
	return s.in.left
}

func (r *Reader) checkPayloadSize(e Entry) error {
	if e.PayloadSize > r.limits.Payload {
		return refusal.New(refusal.PayloadTooLarge, "payload of %s is %d bytes, over the limit of %d", e.Name,
			e.PayloadSize, r.limits.Payload)
	}
	return nil
}

// checkRest refuses an archive of which more is left than its index allows.
func (s *entries) checkRest(most int64) error {
	if left := s.left(); left > most {
		return refusal.New(refusal.TrailingData, "%d bytes follow in the archive, the index allows at most %d", left,
			most)
	}
	return nil
}

// short returns the refusal for an archive that is too small for its index: an entry is missing or smaller than the
// index says, or the archive is cut off. It reads on to find out which; the archive is refused in any case.
func (s *entries) short(index Index) error {
	for _, e := range index.Bundles {
		if err := s.skipDir(e); err != nil {
			return err
		}
		for _, file := range []string{nxb.ManifestFile, nxb.PayloadFile} {
			h, err := s.due(e.Name + nxb.Suffix + "/" + file)
			if err != nil {
				return err
			}
			if file == nxb.PayloadFile && h.size != e.PayloadSize {
				return wrongSize(e, h.size)
			}
			if err := s.in.skip(h.size); err != nil {
				return err
			}
		}
	}
	return errTruncated() // all entries are there in their full sizes, so the end is missing
}

// header returns the next header, or the one that was read ahead.
func (s *entries) header() (header, error) {
	if held := s.held; held != nil {
		s.held = nil
		return held.header, held.err
	}
	var block [blockSize]byte
	if err := s.in.full(block[:]); err != nil {
		return header{}, err
	}
	if isZero(block[:]) {
		return header{}, errEnd
	}
	return parseHeader(&block)
}

// errEnd reports a zero block in place of a header.
var errEnd = errors.New("end of archive")

// finish checks the end of the archive: two zero blocks, and nothing after them.
func (s *entries) finish() error {
	h, err := s.header()
	switch {
	case err == nil:
		return s.surplus(h)
	case !errors.Is(err, errEnd):
		return err
	}
	var block [blockSize]byte
	if err := s.in.full(block[:]); err != nil {
		return err
	}
	if !isZero(block[:]) {
		return bad("the end-of-archive marker has one zero block, want two")
	}
	if s.in.left > 0 {
		return filled(s.in.left, s.size)
	}
	return s.in.end()
}

// surplus returns the refusal for an entry after the last bundle.
func (s *entries) surplus(h header) error {
	if s.place(h.name) == unknown {
		return refusal.New(refusal.UnexpectedEntry, "%s is not in the index", shown(h.name))
	}
	return refusal.New(refusal.DuplicateEntry, "duplicate entry %s", shown(h.name))
}
