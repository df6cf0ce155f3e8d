package updatestest

import (
	"io"

	"nexus/libupdates/nxs"
)

// Held returns what stands in an archive for the bytes of a payload that the receiver holds.
func Held(payload []byte) io.Reader { return &held{err: &nxs.HeldError{Payload: nxs.Sum(payload)}} }

type held struct{ err error }

// Read implements io.Reader.
func (h *held) Read([]byte) (int, error) {
	err := h.err
	h.err = io.EOF
	return 0, err
}
