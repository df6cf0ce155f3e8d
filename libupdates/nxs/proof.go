package nxs

import (
	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// Claim returns what a root decides about: what the set says of itself.
func (x Index) Claim() roots.Claim {
	c := roots.Claim{Version: x.SystemVersion, Issued: x.TimestampUnixMs, Expires: x.ExpiresUnixMs}
	for _, b := range x.Bundles {
		c.Names = append(c.Names, roots.Named{Name: b.Name, Version: b.Version})
	}
	return c
}

// lookAhead returns the next header and leaves it to be read again, as it does an error.
func (s *entries) lookAhead() *ahead {
	if s.held != nil {
		return s.held
	}
	before := s.in.left
	h, err := s.header()
	s.held = &ahead{h, err, before - s.in.left}
	return s.held
}

// readRoots reads the roots before the index, if there are any.
func (r *Reader) readRoots() ([]byte, error) {
	next := r.lookAhead()
	if next.err != nil || next.header.name != RootsName {
		return nil, nil
	}
	r.held = nil
	if next.header.size > roots.MaxChain {
		return nil, refusal.New(refusal.BadRoot, "%s of %d bytes is over the limit of %d", RootsName, next.header.size,
			roots.MaxChain)
	}
	raw, err := r.in.whole(next.header.size)
	if err == nil && r.roots != nil {
		err = r.roots(raw)
	}
	return raw, err
}

// verifyHead verifies and parses the index. The further signatures are read before that only if the first is not
// enough.
func (r *Reader) verifyHead(head *Head) (err error) {
	head.Index, err = VerifyIndex(head.Raw, head.Signature, r.verify)
	one := refusal.Of(err) != refusal.ThresholdNotMet
	if one && err != nil {
		return err
	}
	more, failed := r.readMore()
	if failed != nil {
		return failed
	}
	if head.More = more; !one && len(more) > 0 {
		head.Index, err = VerifyIndex(head.Raw, head.Proof(), r.verify)
	}
	return err
}

// readMore reads the further signatures behind the first, if there are any. Their number is all that is looked at.
func (r *Reader) readMore() ([]byte, error) {
	next := r.lookAhead()
	if next.err != nil || next.header.name != SignaturesName {
		return nil, nil
	}
	r.held = nil
	switch size := next.header.size; {
	case size > trust.MaxSignatures*trust.SignatureSize:
		return nil, refusal.New(refusal.TooManySignatures, "%s of %d bytes has more than %d signatures",
			SignaturesName, size, trust.MaxSignatures)
	case size == 0 || size%trust.SignatureSize != 0:
		return nil, refusal.New(refusal.BadSignatures, "%s of %d bytes is not a list of signatures of %d bytes each",
			SignaturesName, size, trust.SignatureSize)
	}
	return r.in.whole(next.header.size)
}
