package delta

// An instruction of amd64, as far as it matters here.
type instruction struct {
	length int
	field  int  // where a field of 32 bits is that may hold an address, or 0
	pc     bool // the field is relative to the end of the instruction
}

// Operands of an opcode.
const (
	opModRM uint8 = 1 << iota
	opImm8
	opImm16
	opImmZ // 32 bits, or 16 with an operand size prefix
	opRel32
	opMoffs // 64 bits
	opBad   // not an opcode

	opLonger = opRel32 | opMoffs // what follows is part of the opcode, too

	opNone   uint8 = 0
	opModRM8       = opModRM | opImm8
	opModRMZ       = opModRM | opImmZ
)

// oneByte returns the operands of an opcode of one byte that is no prefix.
func oneByte(op byte) uint8 {
	switch {
	case op == 0x0f:
		return opLonger
	case op < 0x40:
		return [8]uint8{opModRM, opModRM, opModRM, opModRM, opImm8, opImmZ, opBad, opBad}[op&7]
	case op >= 0x70 && op < 0x80, op >= 0xe0 && op < 0xe8, op >= 0xb0 && op < 0xb8:
		return opImm8
	case op >= 0x84 && op < 0x90, op >= 0xd0 && op < 0xd4, op >= 0xd8 && op < 0xe0:
		return opModRM
	case op >= 0xa0 && op < 0xa4:
		return opMoffs
	case op >= 0xb8 && op < 0xc0:
		return opImmZ
	}
	switch op {
	case 0x62, 0xc4, 0xc5:
		return opLonger
	case 0x63, 0xf6, 0xf7, 0xfe, 0xff:
		return opModRM
	case 0x69, 0x81, 0xc7:
		return opModRMZ
	case 0x6b, 0x80, 0x83, 0xc0, 0xc1, 0xc6:
		return opModRM8
	case 0x68, 0xa9:
		return opImmZ
	case 0x6a, 0xa8, 0xcd, 0xeb:
		return opImm8
	case 0xc2, 0xca:
		return opImm16
	case 0xc8:
		return opImm16 | opImm8
	case 0xe8, 0xe9:
		return opRel32
	case 0x60, 0x61, 0x82, 0x9a, 0xce, 0xd4, 0xd5, 0xd6, 0xea:
		return opBad
	}
	return opNone
}

// twoByte returns the operands of an opcode that follows 0F.
func twoByte(op byte) uint8 {
	switch {
	case op >= 0x80 && op < 0x90:
		return opRel32
	case op >= 0x70 && op < 0x74:
		return opModRM8
	case op >= 0x30 && op < 0x38, op >= 0xc8 && op < 0xd0:
		return opNone
	}
	switch op {
	case 0xa4, 0xac, 0xba, 0xc2, 0xc4, 0xc5, 0xc6:
		return opModRM8
	case 0x05, 0x06, 0x07, 0x08, 0x09, 0x0b, 0x77, 0xa0, 0xa1, 0xa2, 0xa8, 0xa9, 0xaa:
		return opNone
	case 0x04, 0x0a, 0x0c, 0x0e, 0x0f:
		return opBad
	}
	return opModRM
}

// longest is more than an instruction takes up.
const longest = 32

// A decoder decodes instructions of amd64. It has the operands of all opcodes at hand.
type decoder struct {
	one, two [256]uint8
	prefix   [256]bool
	operand  [256]memory
}

func newDecoder() *decoder {
	d := &decoder{}
	for op := range 256 {
		d.one[op], d.two[op] = oneByte(byte(op)), twoByte(byte(op))
		d.prefix[op], d.operand[op] = isPrefix(byte(op)), memoryOf(byte(op))
	}
	return d
}

// decode decodes the instruction at the start of b. An unknown one has the length 1.
func (d *decoder) decode(b *[longest]byte) instruction {
	at, small, wide := 0, false, false
	for ; at < 5 && d.prefix[b[at]]; at++ {
		small = small || b[at] == 0x66
	}
	if b[at]&0xf0 == 0x40 {
		wide = b[at]&8 != 0
		at++
	}
	op, two := b[at], false
	operands := d.one[op]
	switch {
	case operands&opLonger != opLonger:
		at++
	case op == 0x0f && b[at+1] == 0x38:
		operands, at = opModRM, at+3
	case op == 0x0f && b[at+1] == 0x3a:
		operands, at = opModRM8, at+3
	case op == 0x0f:
		operands, op, two, at = d.two[b[at+1]], b[at+1], true, at+2
	case op == 0xc5:
		operands, at = d.vector(1, b[at+2]), at+3
	case op == 0xc4:
		operands, at = d.vector(b[at+1]&0x1f, b[at+3]), at+4
	default:
		operands, at = d.vector(b[at+1]&7, b[at+4]), at+5
	}
	if operands&opBad != 0 {
		return instruction{length: 1}
	}
	if !two && op|1 == 0xf7 && b[at]>>3&7 < 2 { // TEST, which shares its opcode with instructions without immediate
		operands |= opImm8
		if op == 0xf7 {
			operands ^= opImm8 | opImmZ
		}
	}
	return d.operandsOf(b, at, op, operands, small, wide)
}

// isPrefix reports whether a byte is a legacy prefix.
func isPrefix(b byte) bool {
	switch b {
	case 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3:
		return true
	}
	return false
}

// vector returns the operands of an opcode with a VEX or EVEX prefix that names an opcode map.
func (d *decoder) vector(table, op byte) uint8 {
	switch table {
	case 1:
		if op == 0x77 {
			return opNone
		}
		return opModRM | d.two[op]&opImm8
	case 2, 5, 6:
		return opModRM
	case 3:
		return opModRM8
	}
	return opBad
}

// operandsOf decodes what follows the opcode, at an offset of b.
func (d *decoder) operandsOf(b *[longest]byte, at int, op byte, operands uint8, small, wide bool) instruction {
	var in instruction
	if operands&opModRM != 0 {
		m := d.operand[b[at]]
		at++
		if m.scaled {
			m.wide = m.wide || m.indexed && b[at]&7 == 5
			at++
		}
		if m.wide {
			in.field, in.pc = at, m.pc
			at += 4
		}
		at += int(m.small)
	}
	at += int(operands&opImm8/opImm8) + int(operands&opImm16/opImm16)*2
	switch {
	case operands&opMoffs != 0:
		at += 8
	case operands&opRel32 != 0:
		in.field, in.pc = at, true
		at += 4
	case operands&opImmZ == 0:
	case small:
		at += 2
	case wide && operands&opModRM == 0 && op&0xf8 == 0xb8:
		at += 8
	default:
		if !in.pc {
			in.field = at
		}
		at += 4
	}
	in.length = at
	return in
}

// A memory says how the byte after an opcode describes an operand in memory.
type memory struct {
	scaled  bool  // another byte follows
	indexed bool  // which may ask for a displacement
	wide    bool  // a displacement of 32 bits follows
	pc      bool  // relative to the instruction
	small   uint8 // bytes of a shorter displacement
}

func memoryOf(b byte) memory {
	mod, rm := b>>6, b&7
	m := memory{scaled: mod != 3 && rm == 4, pc: mod == 0 && rm == 5}
	m.indexed = m.scaled && mod == 0
	m.wide = m.pc || mod == 2
	if mod == 1 {
		m.small = 1
	}
	return m
}
