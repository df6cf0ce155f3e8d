package nxs

import (
	"errors"
	"io"

	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// The names of the two entries every set begins with, and of what a bundle's folder holds.
const (
	nameIndex     = "system.nxsindex"
	nameSignature = "system.sig.ed25519"
	fileManifest  = "manifest.nxb"
	filePayload   = "payload.elf"
	suffixBundle  = ".nxb"
)

// VerifyFunc returns the trusted key that made the signature over the raw message, or a refusal (trust.Anchors.Verify is one).
type VerifyFunc func(message, signature []byte) (trust.PublicKey, error)

// Head is the verified beginning of a set.
type Head struct {
	Index     Index
	Raw       []byte // the index as it stands in the archive
	Signature []byte
	Digest    Digest // of Raw: the name of the set
}

// Reader reads one set from a stream, once, from its beginning. Open comes first, then Next until io.EOF. After an error it is of no
// more use.
//
// The order of its checks is the promise: sizes, the signature over the raw index, that its key is trusted, that the index is well
// formed; then, entry by entry, name, order, size and digest, and that the manifest says what the index says. Nothing later is read
// before what stands earlier has passed.
type Reader struct {
	in     source
	size   int64
	limits Limits
	verify VerifyFunc
	index  Index
	next   int      // the entry of the index that is due
	open   *payload // the payload that was handed out last
	held   *header  // a header that was read ahead
}

// NewReader reads a set of exactly size bytes from r.
func NewReader(r io.Reader, size int64, limits Limits, verify VerifyFunc) *Reader {
	return &Reader{in: source{r: r, left: size}, size: size, limits: limits, verify: verify}
}

// Offset returns how many bytes of the archive have been taken.
func (r *Reader) Offset() int64 { return r.size - r.in.left }

// Open reads and verifies index and signature. Nothing of the index is interpreted before the signature has passed.
func (r *Reader) Open() (*Head, error) {
	if r.size > r.limits.Archive {
		return nil, refusal.New(refusal.ArchiveTooLarge, "archive of %d bytes is over the limit of %d", r.size, r.limits.Archive)
	}
	raw, err := r.readIndex()
	if err != nil {
		return nil, err
	}
	signature, err := r.readSignature()
	if err != nil {
		return nil, err
	}
	key, err := r.verify(raw, signature)
	if err != nil {
		return nil, err
	}
	index, err := ParseIndex(raw)
	if err != nil {
		return nil, err
	}
	if index.Publisher != key {
		return nil, refusal.New(refusal.PublisherMismatch, "the index names publisher %s, its signature is by %s", index.Publisher, key)
	}
	if err := r.checkSizes(index); err != nil {
		return nil, err
	}
	r.index = index
	return &Head{Index: index, Raw: raw, Signature: signature, Digest: Sum(raw)}, nil
}

func (r *Reader) readIndex() ([]byte, error) {
	h, err := r.header()
	if err != nil {
		return nil, err
	}
	if h.name != nameIndex || h.dir {
		return nil, refusal.New(refusal.MissingEntry, "the archive begins with %s, not with %s", h.name, nameIndex)
	}
	if h.size > MaxIndex {
		return nil, refusal.New(refusal.IndexTooLarge, "index of %d bytes is over the limit of %d", h.size, MaxIndex)
	}
	return r.in.whole(h.size)
}

func (r *Reader) readSignature() ([]byte, error) {
	h, err := r.header()
	if errors.Is(err, errEnd) {
		return nil, refusal.New(refusal.Unsigned, "the set is not signed: there is no %s", nameSignature)
	}
	if err != nil {
		return nil, err
	}
	if h.name != nameSignature || h.dir {
		return nil, refusal.New(refusal.Unsigned, "the set is not signed: there is no %s after the index", nameSignature)
	}
	if h.size != SignatureSize {
		return nil, refusal.New(refusal.BadSignatureLength, "signature of %d bytes, not %d", h.size, SignatureSize)
	}
	return r.in.whole(h.size)
}

// checkSizes holds the signed sizes against the policy and against what is left of the archive.
func (r *Reader) checkSizes(index Index) error {
	var total int64
	for _, e := range index.Bundles {
		if e.PayloadSize > r.limits.Payload {
			return refusal.New(refusal.PayloadTooLarge, "payload of %s is %d bytes, over the limit of %d", e.Name, e.PayloadSize, r.limits.Payload)
		}
		total += 3*blockSize + padded(e.PayloadSize) // two headers, one block of manifest at least, the payload
	}
	if total += 2 * blockSize; total > r.in.left {
		return refusal.New(refusal.Truncated, "the archive ends too early: the index needs at least %d bytes more, %d are there", total, r.in.left)
	}
	return nil
}

// header reads the next header, or the one that was read ahead.
func (r *Reader) header() (header, error) {
	if h := r.held; h != nil {
		r.held = nil
		return *h, nil
	}
	var block [blockSize]byte
	if err := r.in.full(block[:]); err != nil {
		return header{}, err
	}
	if isZero(block[:]) {
		return header{}, errEnd
	}
	return parseHeader(&block)
}

// errEnd says that a zero block stands where a header could.
var errEnd = errors.New("end of archive")

// finish checks the end: two zero blocks, and nothing after.
func (r *Reader) finish() error {
	h, err := r.header()
	switch {
	case err == nil:
		return r.surplus(h)
	case !errors.Is(err, errEnd):
		return err
	}
	var block [blockSize]byte
	if err := r.in.full(block[:]); err != nil {
		return err
	}
	if !isZero(block[:]) {
		return refusal.New(refusal.BadArchive, "bad archive: one zero block at its end, not two")
	}
	return r.in.end()
}

// surplus says what an entry after the last bundle is.
func (r *Reader) surplus(h header) error {
	if r.known(h.name) {
		return refusal.New(refusal.DuplicateEntry, "%s stands twice", shown(h.name))
	}
	return refusal.New(refusal.UnexpectedEntry, "%s is not in the index", shown(h.name))
}
