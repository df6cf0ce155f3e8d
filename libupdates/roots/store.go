package roots

import (
	"bytes"
	"encoding/binary"

	"nexus/libupdates/trust"
)

// storeMagic begins a stored state. The largest signed time follows, 8 bytes in little-endian order, and then the root
// as a file of one.
const storeMagic = "nxtrust1"

// Encode returns the state as it is stored, in one piece: a root and the time that belongs to it change together.
func (s State) Encode() []byte {
	raw := binary.LittleEndian.AppendUint64([]byte(storeMagic), s.Seen)
	return append(raw, s.Signed.Encode()...)
}

// Load returns a stored state. It is trusted as the place is where it was stored; that the root is signed as it asks
// for itself finds what is damaged. Refusals: BadRoot, and those of Signed.Pinned.
func Load(raw []byte) (State, error) {
	rest, ok := bytes.CutPrefix(raw, []byte(storeMagic))
	if !ok || len(rest) < 8 {
		return State{}, bad("it is not a stored root")
	}
	chain, err := Split(rest[8:])
	if err != nil {
		return State{}, err
	}
	if len(chain) != 1 {
		return State{}, bad("%d roots are stored, want one", len(chain))
	}
	root, err := chain[0].open(trust.NewTally(chain[0].Document, nil, chain[0].Signatures))
	if err != nil {
		return State{}, err
	}
	return State{Root: root, Signed: chain[0], Seen: binary.LittleEndian.Uint64(rest)}, nil
}
