package slots

import (
	"errors"
	"io/fs"

	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// A Fault says who is to blame for a slot that cannot run, and so what follows.
type Fault uint8

// The faults.
const (
	// a key that is not trusted now, a disk that cannot be read, a daemon that is away: another try may pass
	Passing  Fault = iota + 1
	Medium         // the slot no longer holds what was signed: it is marked, and the set is not to blame
	OfTheSet       // the slot holds what was signed, and that cannot run here
)

// FaultOf classifies an error about a slot, from this package or from whoever publishes a slot, and returns the reason
// to record.
func FaultOf(err error) (Fault, refusal.Reason) {
	reason := refusal.Of(err)
	if damage := (damagedSignature{}); errors.As(err, &damage) {
		return Medium, reason
	}
	switch reason {
	case refusal.DigestMismatch, refusal.SizeMismatch, refusal.MissingEntry, refusal.BadEntryType,
		refusal.UnreadableEntry,
		refusal.SlotMismatch:
		return Medium, reason
	case refusal.IO, refusal.InvalidSignature, refusal.UntrustedPublisher, refusal.PublisherMismatch, refusal.NoSpace,
		refusal.Disconnected, refusal.Cancelled, refusal.Superseded:
		return Passing, reason
	default:
		return OfTheSet, reason
	}
}

// DamageOf tells whether an error says that a slot no longer holds what was signed, and the reason to record for it.
func DamageOf(err error) (refusal.Reason, bool) {
	if err == nil {
		return "", false
	}
	fault, reason := FaultOf(err)
	return reason, fault == Medium
}

// A damagedSignature is the refusal of a signature that is not the one the set came with. To be told apart from a key
// that is no longer trusted, which may pass.
type damagedSignature struct{ error }

func (d damagedSignature) Unwrap() error { return d.error }

// blame says whether the signature's file is to blame for its refusal. The index is the one that the slot was filled
// with, by its digest, so the publisher it names did sign it. That publisher's signature vouches for nothing here.
func blame(refused error, raw, signature []byte) error {
	index, err := nxs.ParseIndex(raw)
	if err != nil || index.Publisher.Signed(raw, signature) {
		return refused
	}
	return damagedSignature{refused}
}

// unusable turns what the file system says of a file or folder of a set into its refusal, if it is about what is there.
func unusable(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refusal.New(refusal.MissingEntry, "%s is missing", name)
	case errors.Is(err, durable.ErrKind):
		return refusal.New(refusal.BadEntryType, "%s is no regular file", name)
	case errors.Is(err, fs.ErrPermission):
		return refusal.New(refusal.UnreadableEntry, "%s must not be read", name)
	}
	return err
}
