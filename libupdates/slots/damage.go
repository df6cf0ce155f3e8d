package slots

import (
	"errors"
	"io/fs"

	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// A Fault says what caused a slot to be unusable, which decides what happens next.
type Fault uint8

// The kinds of fault.
const (
	// a key that is not trusted at present, a disk that cannot be read, a daemon that is down: a retry may succeed
	Passing  Fault = iota + 1
	Medium         // the slot no longer holds what was signed: it is marked damaged, the set is not to blame
	OfTheSet       // the slot holds what was signed, but that cannot run here
)

// FaultOf classifies an error about a slot, from this package or from a publisher of slots, and returns the reason to
// record.
func FaultOf(err error) (Fault, refusal.Reason) {
	reason := refusal.Of(err)
	if damage := (damagedSignature{}); errors.As(err, &damage) {
		return Medium, reason
	}
	switch reason {
	case refusal.Damaged, refusal.DigestMismatch, refusal.SizeMismatch, refusal.MissingEntry, refusal.BadEntryType,
		refusal.UnreadableEntry, refusal.SlotMismatch, refusal.BadSignatures, refusal.TooManySignatures:
		return Medium, reason
	case refusal.IO, refusal.InvalidSignature, refusal.UntrustedPublisher, refusal.PublisherMismatch, refusal.NoSpace,
		refusal.ThresholdNotMet, refusal.KeyRevoked, refusal.SetRevoked,
		refusal.Disconnected, refusal.Cancelled, refusal.Superseded:
		return Passing, reason
	default:
		return OfTheSet, reason
	}
}

// DamageOf reports whether an error means that a slot no longer holds what was signed, and the reason to record.
func DamageOf(err error) (refusal.Reason, bool) {
	if err == nil {
		return "", false
	}
	fault, reason := FaultOf(err)
	return reason, fault == Medium
}

// A damagedSignature is the refusal of a signature that differs from the one the set came with. It is kept apart from
// the refusal of a key that is no longer trusted, which may be temporary.
type damagedSignature struct{ error }

func (d damagedSignature) Unwrap() error { return d.error }

// blame decides whether a refused signature is damaged. The digest of the index shows that it is the index the slot was
// filled with, so the publisher named in it did sign it. This check gives that publisher no trust.
func blame(refused error, raw, proof []byte) error {
	index, err := nxs.ParseIndex(raw)
	signature := proof[:min(len(proof), nxs.SignatureSize)]
	if err != nil || index.Publisher.Signed(raw, signature) {
		return refused
	}
	return damagedSignature{refused}
}

// unusable turns a file system error about a file or folder of a set into a refusal, if it is about what is there.
func unusable(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refusal.New(refusal.MissingEntry, "%s is missing", name)
	case errors.Is(err, durable.ErrKind):
		return refusal.New(refusal.BadEntryType, "%s is not a regular file", name)
	case errors.Is(err, fs.ErrPermission):
		return refusal.New(refusal.UnreadableEntry, "no permission to read %s", name)
	}
	return err
}
