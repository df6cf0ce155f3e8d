package convert

import (
	"fmt"

	"capnproto.org/go/capnp/v3"

	"nexus/libupdates/nxs"
)

// A Reader takes values out of an answer and keeps the first error, so that a caller reads field by field and asks
// once.
type Reader struct{ Err error }

// Note keeps an error, if it is the first.
func (r *Reader) Note(err error) {
	if r.Err == nil {
		r.Err = err
	}
}

// maxItems bounds every list of an answer. No system has as many of anything.
const maxItems = 1024

// Items is how many elements of a list are read: all of them, or none of a list that is too long to be meant.
func (r *Reader) Items(length int) int {
	if length <= maxItems {
		return length
	}
	r.Note(fmt.Errorf("the system answers with a list of %d, over the %d that are read", length, maxItems))
	return 0
}

// Text takes what the getter of a text returns.
func (r *Reader) Text(text string, err error) string {
	r.Note(err)
	return text
}

// Digest takes what the getter of a digest returns; the zero digest stands for none.
func (r *Reader) Digest(raw []byte, err error) nxs.Digest {
	r.Note(err)
	return DigestOf(raw)
}

// Texts takes what the getter of a list of texts returns. The result is never nil.
func (r *Reader) Texts(list capnp.TextList, err error) []string {
	texts := []string{}
	r.Note(err)
	if err != nil {
		return texts
	}
	for i := range r.Items(list.Len()) {
		texts = append(texts, r.Text(list.At(i)))
	}
	return texts
}
