package roots

import (
	"fmt"
	"slices"

	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// Pinned returns the root with this digest, which an operator vouches for: the first of a chain. It must be signed as
// it asks for itself. Refusals: RootNotPinned, and those of Next.
func (s Signed) Pinned(pin Digest) (Root, error) {
	if s.Digest() != pin {
		return Root{}, refusal.New(refusal.RootNotPinned, "root %s is not the one to begin with, %s", s.Digest(), pin)
	}
	return s.open(trust.NewTally(s.Document, nil, s.Signatures))
}

// Next returns the successor of the root. The thresholds of both must be met, and the root's own is checked before
// anything of the document is interpreted. Refusals: RootVersion, Unsigned, ThresholdNotMet, BadRoot, BadSchemaVersion,
// BadKey, LocksOut, WrongFamily.
func (r Root) Next(s Signed) (Root, error) {
	if s.Version != r.Version+1 { // open makes sure that the document says the same
		return Root{}, r.notNext(s.Version)
	}
	tally := trust.NewTally(s.Document, nil, s.Signatures)
	if err := r.signs(tally, s); err != nil {
		return Root{}, err
	}
	next, err := s.open(tally)
	if err != nil {
		return Root{}, err
	}
	if next.Family != r.Family {
		return Root{}, refusal.New(refusal.WrongFamily, "the root is for the family %s, not %s", next.Family, r.Family)
	}
	for _, key := range r.RevokedKeys {
		if !slices.Contains(next.RevokedKeys, key) {
			return Root{}, bad("key %s is revoked, and would not be any more", key)
		}
	}
	return next, nil
}

// notNext refuses a version that is not that of the successor.
func (r Root) notNext(version uint64) error {
	missing := ""
	if version > r.Version {
		missing = fmt.Sprintf(": root %d is missing", r.Version+1)
	}
	return refusal.New(refusal.RootVersion, "root %d does not succeed root %d%s", version, r.Version, missing)
}

// open parses a document that somebody trusted vouches for, and checks that it is signed as it asks for itself.
func (s Signed) open(tally *trust.Tally) (Root, error) {
	r, err := Parse(s.Document)
	if err != nil {
		return Root{}, err
	}
	if r.Version != s.Version {
		return Root{}, bad("the file says version %d, the document %d", s.Version, r.Version)
	}
	return r, r.signs(tally, s)
}

// signs wants the threshold of the role root to be met.
func (r Root) signs(tally *trust.Tally, s Signed) error {
	if len(s.Signatures) == 0 {
		return refusal.New(refusal.Unsigned, "root %d has no signature", s.Version)
	}
	for _, grant := range r.Of(trust.RoleRoot) {
		if _, err := tally.Meet(grant.threshold()); err != nil {
			return refusal.New(refusal.ThresholdNotMet, "root %d is not signed as root %d asks: %v", s.Version,
				r.Version, err)
		}
	}
	return nil
}
