package nxs

import (
	"errors"
	"io"

	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// The names of the two entries every set begins with.
const (
	IndexName     = "system.nxsindex"
	SignatureName = "system.sig.ed25519"
)

// The names of a bundle's folder and of what it holds.
const (
	fileManifest = "manifest.nxb"
	filePayload  = "payload.elf"
	suffixBundle = ".nxb"
)

// VerifyFunc returns the trusted key that made the signature over the raw message, or a refusal (trust.Anchors.Verify
// is one).
type VerifyFunc func(message, signature []byte) (trust.PublicKey, error)

// Head is the verified beginning of a set.
type Head struct {
	Index     Index
	Raw       []byte // the index as it stands in the archive
	Signature []byte
	Digest    Digest // of Raw: the name of the set
}

// Reader reads one set from a stream, once, from its beginning. Open comes first, then Next until io.EOF. An error is
// final: every call after it returns it again.
//
// The order of its checks is the promise: sizes, the signature over the raw index, that its key is trusted, that the
// index is well formed; then, entry by entry, name, order, size and digest, and that the manifest says what the index
// says. Nothing later is read before what stands earlier has passed.
type Reader struct {
	in     source
	size   int64
	limits Limits
	verify VerifyFunc
	index  Index
	next   int      // the bundle of the index that is due
	open   *payload // the payload that was handed out last
	held   *header  // a header that was read ahead
	err    error    // what every call from now on returns
}

// NewReader reads a set of exactly size bytes from r. Limits over MaxPolicy count as MaxPolicy.
func NewReader(r io.Reader, size int64, limits Limits, verify VerifyFunc) *Reader {
	limits = Limits{Archive: min(limits.Archive, MaxPolicy), Payload: min(limits.Payload, MaxPolicy)}
	return &Reader{
		in:     source{r: r, left: size},
		size:   size,
		limits: limits,
		verify: verify,
		err:    errNotOpen,
	}
}

// Calls in the wrong order are the caller's mistake; they must not look like the verified end of a set.
var (
	errNotOpen = errors.New("cannot read set: Open comes first, and once")
	errOpened  = errors.New("cannot open set: it was opened before")
)

// Offset returns how many bytes of the archive have been read, for a progress display.
func (r *Reader) Offset() int64 { return r.size - r.in.left }

// Open reads and verifies index and signature. Nothing of the index is interpreted before the signature has passed.
func (r *Reader) Open() (*Head, error) {
	if r.err == nil {
		return nil, errOpened
	}
	if r.err != errNotOpen {
		return nil, r.err
	}
	head, err := r.head()
	r.err = err
	return head, err
}

func (r *Reader) head() (*Head, error) {
	if r.size > r.limits.Archive {
		return nil, refusal.New(refusal.ArchiveTooLarge, "archive of %d bytes is over the limit of %d", r.size,
			r.limits.Archive)
	}
	raw, err := r.readIndex()
	if err != nil {
		return nil, err
	}
	signature, err := r.readSignature()
	if err != nil {
		return nil, err
	}
	index, err := VerifyIndex(raw, signature, r.verify)
	if err != nil {
		return nil, err
	}
	if err := r.checkSizes(index); err != nil {
		return nil, err
	}
	r.index = index
	return &Head{Index: index, Raw: raw, Signature: signature, Digest: Sum(raw)}, nil
}

func (r *Reader) readIndex() ([]byte, error) {
	h, err := r.header()
	if errors.Is(err, errEnd) {
		return nil, refusal.New(refusal.MissingEntry, "the archive is empty: there is no %s", IndexName)
	}
	if err != nil {
		return nil, err
	}
	if h.name == SignatureName && r.indexFollows(h) {
		return nil, refusal.New(refusal.MisorderedEntry, "%s stands where %s must", SignatureName, IndexName)
	}
	if h.name != IndexName {
		return nil, refusal.New(refusal.MissingEntry, "the archive begins with %s, not with %s", h.name, IndexName)
	}
	if h.size > MaxIndex {
		return nil, refusal.New(refusal.IndexTooLarge, "index of %d bytes is over the limit of %d", h.size, MaxIndex)
	}
	return r.in.whole(h.size)
}

// indexFollows tells whether the index stands right behind a signature that came first. It looks no further: an archive
// that nobody has vouched for is not worth reading.
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
		return nil, refusal.New(refusal.DuplicateEntry, "%s stands twice", IndexName)
	case errors.Is(err, errEnd), err == nil && h.name != SignatureName:
		return nil, refusal.New(refusal.Unsigned, "the set is not signed: there is no %s after the index",
			SignatureName)
	case err != nil:
		return nil, err
	case h.size != SignatureSize:
		return nil, refusal.New(refusal.BadSignatureLength, "signature of %d bytes, not %d", h.size, SignatureSize)
	}
	return r.in.whole(h.size)
}

// checkSizes holds the signed sizes against the policy and against what is left of the archive. Manifests are the only
// entries whose size the index does not give, and directory entries the only ones that may be absent, so what is left
// has a least and a most.
func (r *Reader) checkSizes(index Index) error {
	least, most := int64(2*blockSize), int64(2*blockSize)
	for _, e := range index.Bundles {
		if e.PayloadSize > r.limits.Payload {
			return refusal.New(refusal.PayloadTooLarge, "payload of %s is %d bytes, over the limit of %d", e.Name,
				e.PayloadSize, r.limits.Payload)
		}
		least += 2*blockSize + padded(e.PayloadSize)
		most += 3*blockSize + MaxManifest + padded(e.PayloadSize)
	}
	switch left := r.in.left; {
	case left < least:
		return r.short(index)
	case left > most:
		return refusal.New(refusal.TrailingData, "%d bytes are left of the archive, the index allows %d at most", left,
			most)
	}
	return nil
}

// short says why an archive is too small for its index: an entry is not there, is smaller than the index says, or the
// archive is cut off. It reads on to find out; the refusal is decided.
func (r *Reader) short(index Index) error {
	r.index = index
	for _, e := range index.Bundles {
		if err := r.skipDir(e); err != nil {
			return err
		}
		for _, file := range []string{fileManifest, filePayload} {
			h, err := r.due(e.Name + suffixBundle + "/" + file)
			if err != nil {
				return err
			}
			if file == filePayload && h.size != e.PayloadSize {
				return wrongSize(e, h.size)
			}
			if err := r.in.skip(h.size); err != nil {
				return err
			}
		}
	}
	return errTruncated() // all entries are there, in their sizes: what there is no room for is the end
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
		return bad("one zero block at its end, not two")
	}
	if r.in.left > 0 {
		return filled(r.in.left, r.size)
	}
	return r.in.end()
}

// surplus says what an entry after the last bundle is.
func (r *Reader) surplus(h header) error {
	if r.place(h.name) == unknown {
		return refusal.New(refusal.UnexpectedEntry, "%s is not in the index", shown(h.name))
	}
	return refusal.New(refusal.DuplicateEntry, "%s stands twice", shown(h.name))
}
