package delta

import "encoding/binary"

// RISC-V instructions.
const (
	rvJAL     = 0x6f
	rvAUIPC   = 0x17
	rvOpImm   = 0x13
	rvOpImm32 = 0x1b
	rvLoad    = 0x03
	rvLoadFP  = 0x07
	rvJALR    = 0x67
	rvStore   = 0x23
	rvStoreFP = 0x27
)

// sweepRISCV calls found with the references of the code in b, which begins at an address that is a multiple of 2. An
// instruction of 32 bits has its two lowest bits set, a shorter one has not.
func sweepRISCV(b []byte, found func(at int, form form, extra uint8, target int64)) {
	le := binary.LittleEndian
	for at := 0; at+8 <= len(b); {
		if b[at]&3 != 3 {
			at += 2
			continue
		}
		in := le.Uint32(b[at:])
		switch in & 0x7f {
		case rvJAL:
			found(at, jump20, 0, int64(at)+jumpOf(in))
		case rvAUIPC:
			next := le.Uint32(b[at+4:])
			high := int64(int32(in &^ 0xfff))
			if next>>15&31 != in>>7&31 {
				break
			}
			switch next & 0x7f {
			case rvOpImm, rvLoad, rvLoadFP, rvJALR, rvOpImm32:
				found(at, pairLoad, 0, int64(at)+high+int64(int32(next)>>20))
			case rvStore, rvStoreFP:
				found(at, pairStore, 0, int64(at)+high+int64(int32(next)>>25<<5|int32(next>>7&31)))
			}
		}
		at += 4
	}
}

// jumpOf returns the distance that a JAL jumps.
func jumpOf(in uint32) int64 {
	return int64(int32(in)>>31<<20) | int64(in&0xff000) | int64(in>>20&1<<11) | int64(in>>21&0x3ff<<1)
}

// putRISCV changes the distance in a field, if that is possible.
func putRISCV(field []byte, f form, off int64) {
	le := binary.LittleEndian
	in := le.Uint32(field)
	if f == jump20 {
		if off < -1<<20 || off >= 1<<20 || off&1 != 0 {
			return
		}
		u := uint32(off)
		le.PutUint32(field, in&0xfff|u>>20&1<<31|u>>1&0x3ff<<21|u>>11&1<<20|u&0xff000)
		return
	}
	high := (off + 0x800) &^ 0xfff
	if high != int64(int32(high)) {
		return
	}
	low, next := uint32(off-high), le.Uint32(field[4:])
	le.PutUint32(field, in&0xfff|uint32(high))
	if f == pairLoad {
		le.PutUint32(field[4:], next&0xfffff|low<<20)
	} else {
		le.PutUint32(field[4:], next&0x1fff07f|low>>5<<25|low&31<<7)
	}
}
