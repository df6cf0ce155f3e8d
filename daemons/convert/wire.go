// Package convert turns domain values into what the schema says and back: refusals, slots, digests. It is the one table
// between libupdates, which knows no transport, and the generated code, which knows no domain.
package convert

import (
	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/keystore"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// Refuse fills a refusal from an error, given the method that makes it.
func Refuse(make func() (keystore.Refusal, error), cause error) error {
	r, err := make()
	if err != nil {
		return err
	}
	if err := r.SetReason(string(refusal.Of(cause))); err != nil {
		return err
	}
	return r.SetDetail(refusal.DetailOf(cause))
}

// Refused turns a refusal that came over the wire into an error; one without a reason is none. It takes what the getter
// of a result returns.
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

// Slot is a slot as the schema names it.
func Slot(s bootctl.Slot) bootrecord.Slot {
	switch s {
	case bootctl.A:
		return bootrecord.Slot_a
	case bootctl.B:
		return bootrecord.Slot_b
	default:
		return bootrecord.Slot_none
	}
}

// SlotOf is a slot of the schema as the domain names it; one that the schema does not know is None.
func SlotOf(s bootrecord.Slot) bootctl.Slot {
	switch s {
	case bootrecord.Slot_a:
		return bootctl.A
	case bootrecord.Slot_b:
		return bootctl.B
	default:
		return bootctl.None
	}
}

// Cause is the cause of a boot as the schema names it.
func Cause(c bootctl.Cause) bootrecord.BootCause { return bootrecord.BootCause(c) }

// CauseOf is a cause of the schema as the domain names it; one that the schema does not know is Unknown.
func CauseOf(c bootrecord.BootCause) bootctl.Cause {
	if c > bootrecord.BootCause_power {
		return bootctl.Unknown
	}
	return bootctl.Cause(c)
}

// Digest is a digest as bytes, empty for the zero digest of an empty slot.
func Digest(d nxs.Digest) []byte {
	if d.IsZero() {
		return nil
	}
	return d[:]
}

// DigestOf is a digest from bytes; what is not 32 bytes is the zero digest.
func DigestOf(b []byte) (d nxs.Digest) {
	if len(b) == len(d) {
		copy(d[:], b)
	}
	return d
}
