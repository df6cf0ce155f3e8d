package cli

import (
	"cmp"
	"encoding/hex"
	"fmt"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
)

// A reader takes values out of a message and keeps the first error, so that a caller reads field by field and asks
// once.
type reader struct{ err error }

func (r *reader) note(err error) {
	if r.err == nil {
		r.err = err
	}
}

// maxItems bounds every list of an answer. No system has as many of anything.
const maxItems = 1024

// items is how many elements of a list are read: all of them, or none where it is too long to be meant.
func (r *reader) items(length int) int {
	if length <= maxItems {
		return length
	}
	r.note(fmt.Errorf("the system answers with a list of %d, over the %d that are read", length, maxItems))
	return 0
}

// nameOf is an enumerant for people; one that this version does not know has no name of its own.
func nameOf(enumerant string) string { return cmp.Or(enumerant, "unknown") }

func (r *reader) text(text string, err error) string {
	r.note(err)
	return text
}

// digest is a digest in hex, empty where there is none.
func (r *reader) digest(raw []byte, err error) string {
	r.note(err)
	return hex.EncodeToString(raw)
}

func (r *reader) texts(list capnp.TextList, err error) []string {
	r.note(err)
	if err != nil || r.items(list.Len()) < list.Len() {
		return []string{}
	}
	texts, err := vat.Texts(list)
	r.note(err)
	if texts == nil {
		texts = []string{}
	}
	return texts
}

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
