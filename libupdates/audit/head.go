package audit

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// A Head is the end of a chain: the number and hash of its newest record. The zero Head is that of an empty chain.
type Head struct {
	Number uint64
	Hash   Hash
}

// Append links a record to the end of the chain, and returns it and the new head.
func (h Head) Append(r Record) (linked Record, next Head) {
	r.Number, r.Previous = h.Number+1, h.Hash
	return r, r.head()
}

// String returns the head as one word, such as `12:9f86…`.
func (h Head) String() string { return strconv.FormatUint(h.Number, 10) + ":" + h.Hash.String() }

// ParseHead reads what String returned.
func ParseHead(text string) (h Head, err error) {
	number, hash, found := strings.Cut(text, ":")
	h.Number, err = strconv.ParseUint(number, 10, 64)
	n, hexErr := hex.Decode(h.Hash[:], []byte(hash)[:min(len(hash), 2*len(h.Hash))])
	if !found || err != nil || hexErr != nil || n != len(h.Hash) || h.String() != text {
		return Head{}, fmt.Errorf("%.80q is not a head: NUMBER:SHA256 as `nx log head` prints it", text)
	}
	return h, nil
}
