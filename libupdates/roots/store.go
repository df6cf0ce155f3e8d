package roots

import (
	"bytes"
	"encoding/binary"

	"nexus/libupdates/trust"
)

// storeMagic begins a stored state. The largest signed time follows, 8 bytes in little-endian order, and then a file of
// the roots, the present one last.
const storeMagic = "nxtrust1"

// MaxStored bounds a stored state, in bytes.
const MaxStored = len(storeMagic) + 8 + MaxChain

// Encode returns the state as it is stored, in one piece: a root and the time that belongs to it change together.
func (s State) Encode() []byte {
	raw := binary.LittleEndian.AppendUint64([]byte(storeMagic), s.Seen)
	return append(append(raw, s.Earlier()...), s.Signed.Encode()...)
}

// Earlier returns a file of the roots before the present one that are kept, oldest first.
func (s State) Earlier() (raw []byte) {
	for _, old := range s.past {
		raw = append(raw, old.signed.Encode()...)
	}
	return raw
}

// Load returns a stored state. It is trusted as the place is where it was stored. That the first root is signed as it
// asks for itself, and each other one by the one before, finds what is damaged. Refusals: BadRoot, and those of Next.
func Load(raw []byte) (State, error) {
	rest, ok := bytes.CutPrefix(raw, []byte(storeMagic))
	if !ok || len(rest) < 8 {
		return State{}, bad("it is not a stored root")
	}
	chain, err := Split(rest[8:])
	if err != nil {
		return State{}, err
	}
	first := chain[0]
	root, err := first.open(trust.NewTally(first.Document, nil, first.Signatures))
	if err != nil {
		return State{}, err
	}
	state := State{Root: root, Signed: first}
	for _, next := range chain[1:] {
		if state, err = state.step(next); err != nil {
			return State{}, err
		}
	}
	state.Seen = binary.LittleEndian.Uint64(rest)
	return state, nil
}
