package cli

import (
	"cmp"
	"encoding/hex"

	"nexus/capnpgen/bootrecord"
	"nexus/daemons/convert"
	"nexus/libupdates/nxs"
)

// A reader reads values from a message and keeps the first error, so that a caller can read all fields and then check
// once.
type reader struct{ convert.Reader }

// nameOf returns an enumerant as it is shown, also if this version does not know it.
func nameOf(enumerant string) string { return cmp.Or(enumerant, "unknown") }

// digest returns a digest in hex, or "" for none.
func (r *reader) digest(raw []byte, err error) string { return hexOf(r.Digest(raw, err)) }

// hexOf is a digest in hex, empty where there is none.
func hexOf(d nxs.Digest) string { return hex.EncodeToString(convert.Digest(d)) }

// slotName returns a slot as it is shown: a, b or none.
func slotName(slot bootrecord.Slot) string { return convert.SlotOf(slot).String() }

// slotOrNull returns a slot for JSON: null for none.
func slotOrNull(slot bootrecord.Slot) *string { return orNull(slotName(slot), "none") }

// orNull returns a text for JSON: null if it is the one that stands for nothing.
func orNull(text, nothing string) *string {
	if text == nothing {
		return nil
	}
	return &text
}
