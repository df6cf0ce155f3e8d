package cli

import (
	"cmp"
	"encoding/hex"

	"nexus/capnpgen/bootrecord"
	"nexus/daemons/convert"
	"nexus/libupdates/nxs"
)

// A reader takes values out of an answer as they are shown.
type reader struct{ convert.Reader }

// nameOf is an enumerant for people; one that this version does not know has no name of its own.
func nameOf(enumerant string) string { return cmp.Or(enumerant, "unknown") }

// digest is a digest in hex, empty where there is none.
func (r *reader) digest(raw []byte, err error) string { return hexOf(r.Digest(raw, err)) }

// hexOf is a digest in hex, empty where there is none.
func hexOf(d nxs.Digest) string { return hex.EncodeToString(convert.Digest(d)) }

// slotName is a slot as it is shown: a, b or none.
func slotName(slot bootrecord.Slot) string { return convert.SlotOf(slot).String() }

// slotOrNull is a slot for programs: null where there is none.
func slotOrNull(slot bootrecord.Slot) *string { return orNull(slotName(slot), "none") }

// orNull is a text for programs: null where it is the one that stands for nothing.
func orNull(text, nothing string) *string {
	if text == nothing {
		return nil
	}
	return &text
}
