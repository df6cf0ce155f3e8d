package delta

import "encoding/binary"

// sweepARM calls found with the references of the code in b, which begins at a multiple of 4, at an address.
func sweepARM(b []byte, addr int64, found func(at int, form form, extra uint8, target int64)) {
	le := binary.LittleEndian
	for at := 0; at+8 <= len(b); at += 4 {
		in := le.Uint32(b[at:])
		switch {
		case in&0x7c000000 == 0x14000000: // B, BL
			found(at, branch26, 0, int64(at)+int64(int32(in<<6)>>6)*4)
		case in&0x9f000000 == 0x90000000: // ADRP
			next := le.Uint32(b[at+4:])
			scale, ok := lowPart(next)
			if !ok || next>>5&31 != in&31 {
				continue
			}
			first := (addr+int64(at))&^0xfff + int64(int32(in<<8)>>13<<2|int32(in>>29&3))<<12
			found(at, page, scale, first-addr+int64(next>>10&0xfff)<<scale)
		}
	}
}

// lowPart reports whether an instruction adds 12 bits to an address, and in units of how many bytes (as a shift).
func lowPart(in uint32) (scale uint8, ok bool) {
	switch {
	case in&0xff800000 == 0x91000000 && in&0x00400000 == 0: // ADD
		return 0, true
	case in&0x3f000000 == 0x39000000: // LDR, STR
		return uint8(in >> 30), true
	case in&0x3f000000 == 0x3d000000: // LDR, STR of a vector register
		return uint8(in>>30 | in>>23&1<<2), true
	}
	return 0, false
}

// putARM changes what a field refers to, if that is possible.
func putARM(field []byte, f form, scale uint8, at, target int64) {
	le := binary.LittleEndian
	in := le.Uint32(field)
	if f == branch26 {
		if off := target - at; off&3 == 0 && off >= -1<<27 && off < 1<<27 {
			le.PutUint32(field, in&^0x3ffffff|uint32(off>>2)&0x3ffffff)
		}
		return
	}
	pages := target>>12 - at>>12
	if pages < -1<<20 || pages >= 1<<20 || target&(1<<scale-1) != 0 {
		return
	}
	le.PutUint32(field, in&0x9f00001f|uint32(pages)&3<<29|uint32(pages)>>2&0x7ffff<<5)
	le.PutUint32(field[4:], le.Uint32(field[4:])&^0x3ffc00|uint32(target&0xfff)>>scale<<10)
}
