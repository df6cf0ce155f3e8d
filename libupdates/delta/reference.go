package delta

import "encoding/binary"

// A form is how a field refers to a position.
type form uint8

const (
	relative32  form = iota // the address, relative to the end of the field plus extra
	self32                  // the address, relative to the field
	back32                  // how far before the field, in bytes
	address64               // the address
	offset32                // relative to a base
	offset32by4             // relative to a base, in units of 4 bytes
	bucket                  // of the table that finds functions by addresses; its target is itself
	jump20                  // riscv64: JAL
	pairLoad                // riscv64: AUIPC, and an instruction of type I
	pairStore               // riscv64: AUIPC, and an instruction of type S
	branch26                // arm64: B, BL
	page                    // arm64: ADRP, and an instruction with 12 bits, in units of 1 << extra bytes
)

// size returns the length of a field, in bytes.
func (f form) size() int64 {
	switch f {
	case address64, pairLoad, pairStore, page:
		return 8
	case bucket:
		return bucketSize
	}
	return 4
}

// longestField is the longest length of a field.
const longestField = bucketSize

// A reference is a field of a program that refers to a position.
type reference struct {
	at, target int64 // positions; the field is in the file
	form       form
	extra      uint8 // see form; the number of the base
}

// put changes a field so that it refers to the target from its position. A field that cannot is left as it is.
func (r reference) put(field []byte, to *space, bases []int64) {
	le := binary.LittleEndian
	if r.form == offset32 || r.form == offset32by4 {
		off := r.target - bases[r.extra]
		if r.form == offset32by4 {
			off /= 4
		}
		if off == int64(uint32(off)) || off == int64(int32(off)) {
			le.PutUint32(field, uint32(off))
		}
		return
	}
	target, ok := to.address(r.target)
	at, in := to.address(r.at)
	if !ok || !in {
		return
	}
	switch r.form {
	case relative32:
		if off := target - (at + 4 + int64(r.extra)); off == int64(int32(off)) {
			le.PutUint32(field, uint32(off))
		}
	case self32:
		if off := target - at; off == int64(int32(off)) {
			le.PutUint32(field, uint32(off))
		}
	case back32:
		if off := at - target; off == int64(uint32(off)) {
			le.PutUint32(field, uint32(off))
		}
	case address64:
		le.PutUint64(field, uint64(target))
	case jump20, pairLoad, pairStore:
		putRISCV(field, r.form, target-at)
	default:
		putARM(field, r.form, r.extra, at, target)
	}
}

// cover replaces what a field refers to by a value that depends only on the target, not on where the field is.
func (r reference) cover(field []byte, value uint64) {
	le := binary.LittleEndian
	switch r.form {
	case address64:
		le.PutUint64(field, value)
	case bucket:
		for at := 0; at < bucketSize; at += 4 {
			le.PutUint32(field[at:], uint32(value))
		}
	case jump20:
		le.PutUint32(field, le.Uint32(field)&0xfff|uint32(value)&^0xfff)
	case pairLoad:
		le.PutUint32(field, le.Uint32(field)&0xfff|uint32(value)&^0xfff)
		le.PutUint32(field[4:], le.Uint32(field[4:])&0xfffff|uint32(value)<<20)
	case pairStore:
		le.PutUint32(field, le.Uint32(field)&0xfff|uint32(value)&^0xfff)
		le.PutUint32(field[4:], le.Uint32(field[4:])&0x1fff07f|uint32(value)<<20&0xfe000000)
	case branch26:
		le.PutUint32(field, le.Uint32(field)&^0x3ffffff|uint32(value)&0x3ffffff)
	case page:
		le.PutUint32(field, le.Uint32(field)&0x9f00001f|uint32(value)&0x60ffffe0)
		le.PutUint32(field[4:], le.Uint32(field[4:])&^0x3ffc00|uint32(value>>20)&0x3ffc00)
	default:
		le.PutUint32(field, uint32(value))
	}
}
