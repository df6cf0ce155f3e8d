// Package convert converts domain values to their schema types and back: refusals, slots, digests. It is the only table
// between libupdates, which knows no transport, and the generated code, which knows no domain.
package convert

import (
	"errors"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/keystore"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// Refuse fills a refusal from an error; make is the generated method that creates it. Without an error nothing is
// refused.
func Refuse(make func() (keystore.Refusal, error), cause error) error {
	if cause == nil {
		return nil
	}
	r, err := make()
	if err != nil {
		return err
	}
	return errors.Join(r.SetReason(string(refusal.Of(cause))), r.SetDetail(refusal.DetailOf(cause)))
}

// Answer answers a call whose results hold nothing but a refusal: err, or none. alloc is the generated method that
// makes the results.
func Answer[R interface {
	NewRefusal() (keystore.Refusal, error)
}](alloc func() (R, error), err error) error {
	res, allocErr := alloc()
	if allocErr != nil {
		return allocErr
	}
	return Refuse(res.NewRefusal, err)
}

// Refused turns a received refusal into an error, or nil if it has no reason. Its parameters are the results of the
// getter.
func Refused(r keystore.Refusal, err error) error {
	if err != nil {
		return err
	}
	reason, err := r.Reason()
	if err != nil || reason == "" {
		return err
	}
	detail, err := r.Detail()
	if err != nil {
		return err
	}
	return refusal.New(refusal.Reason(reason), "%s", detail)
}

// Outcome returns the refusal in the results of a call as its error.
func Outcome[R interface {
	Refusal() (keystore.Refusal, error)
}](res R, err error) (R, error) {
	if err == nil {
		err = Refused(res.Refusal())
	}
	return res, err
}

// Slot converts a slot to the schema's type.
func Slot(s bootctl.Slot) bootrecord.Slot {
	switch s {
	case bootctl.A:
		return bootrecord.Slot_a
	case bootctl.B:
		return bootrecord.Slot_b
	case bootctl.Staged:
		return bootrecord.Slot_staged
	default:
		return bootrecord.Slot_none
	}
}

// SlotOf converts a slot from the schema's type. Unknown values become None.
func SlotOf(s bootrecord.Slot) bootctl.Slot {
	switch s {
	case bootrecord.Slot_a:
		return bootctl.A
	case bootrecord.Slot_b:
		return bootctl.B
	case bootrecord.Slot_staged:
		return bootctl.Staged
	default:
		return bootctl.None
	}
}

// Cause converts the cause of a boot to the schema's type.
func Cause(c bootctl.Cause) bootrecord.BootCause { return bootrecord.BootCause(c) }

// CauseOf converts the cause of a boot from the schema's type. Unknown values become Unknown.
func CauseOf(c bootrecord.BootCause) bootctl.Cause {
	if c > bootrecord.BootCause_power {
		return bootctl.Unknown
	}
	return bootctl.Cause(c)
}

// Digest returns a digest as bytes. The zero digest, of an empty slot, becomes empty.
func Digest(d nxs.Digest) []byte {
	if d.IsZero() {
		return nil
	}
	return d[:]
}

// DigestOf makes a digest from bytes. It returns the zero digest unless there are 32.
func DigestOf(b []byte) (d nxs.Digest) {
	if len(b) == len(d) {
		copy(d[:], b)
	}
	return d
}
