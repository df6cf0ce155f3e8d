package delta

import "encoding/binary"

// Fields of amd64 are found by the bytes before them. To decode instruction after instruction would take most of the
// time of applying a patch, and what only looks like a field hardly ever refers to a part of the program.

// What a byte of code may be.
const (
	opNone   uint8 = iota
	opBranch       // CALL or JMP with 32 bits
	opEscape       // the start of opcodes of two bytes, among them Jcc with 32 bits
	opMemory       // the byte after an opcode, if its operand in memory is relative to the instruction
)

var leads = func() (kinds [256]uint8) {
	kinds[0xe8], kinds[0xe9], kinds[0x0f] = opBranch, opBranch, opEscape
	for register := range 8 {
		kinds[register<<3|5] = opMemory
	}
	return kinds
}()

// longestLead is how many bytes before a field say whether it is one.
const longestLead = 5

// sweepAMD64 adds the references of the code in b, which begins at a position and an address.
func (m *model) sweepAMD64(b []byte, start, addr int64, add addFunc) {
	for at := longestLead - 1; at+6 <= len(b); at++ {
		kind := leads[b[at]]
		if kind == opNone {
			continue
		}
		field, extra := at+1, 0
		switch kind {
		case opEscape:
			if b[field]&0xf0 != 0x80 {
				continue
			}
			field++
		case opMemory:
			if extra = immediate((*[longestLead]byte)(b[field-longestLead:])); extra < 0 {
				continue
			}
		}
		distance := int64(int32(binary.LittleEndian.Uint32(b[field:])))
		target, ok := m.prog.space.position(addr + int64(field+4+extra) + distance)
		if ok && (kind == opMemory || m.isCode(target)) {
			add(start+int64(field), relative32, uint8(extra), target)
			at = field + 3
		}
	}
}

// immediate returns how many bytes of the instruction follow its operand in memory, or -1 if these bytes are not the
// end of an opcode and what describes the operand.
func immediate(b *[longestLead]byte) int {
	op := b[3]
	switch {
	case b[2] == 0x0f, b[1] == 0x0f && b[2] == 0x38, b[1] == 0xc5, b[0] == 0xc4:
		return int(immediates[1][op])
	case b[1] == 0x0f && b[2] == 0x3a:
		return 1
	case op|1 == 0xf7 && b[4]>>3&7 < 2: // TEST, which shares its opcode with instructions without immediate
		return int(immediates[0][0x80|op&1])
	case immediates[0][op] == 4 && (b[2] == 0x66 || b[1] == 0x66):
		return 2
	}
	return int(immediates[0][op])
}

// immediates are the results for opcodes of one byte and of two.
var immediates = func() (one [2][256]int8) {
	for op := range 256 {
		switch {
		case op < 0x40 && op&7 < 4, op >= 0x84 && op < 0x90, op >= 0xd0 && op < 0xd4, op >= 0xd8 && op < 0xe0:
		default:
			one[0][op] = -1
		}
	}
	for _, op := range []uint8{0x63, 0xf6, 0xf7, 0xfe, 0xff} {
		one[0][op] = 0
	}
	for _, op := range []uint8{0x6b, 0x80, 0x83, 0xc0, 0xc1, 0xc6} {
		one[0][op] = 1
	}
	for _, op := range []uint8{0x69, 0x81, 0xc7} {
		one[0][op] = 4
	}
	for _, op := range []uint8{0x70, 0x71, 0x72, 0x73, 0xa4, 0xac, 0xba, 0xc2, 0xc4, 0xc5, 0xc6} {
		one[1][op] = 1
	}
	return one
}()
