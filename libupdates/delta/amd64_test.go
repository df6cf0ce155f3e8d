package delta

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// TestFieldsOfAMD64: a field is found by what is before it, and so is how many bytes of the instruction follow it.
func TestFieldsOfAMD64(t *testing.T) {
	const field, other = 0x40, 0x41 // bytes that stand for a field, and for an immediate
	inCode, inData := int64(fakeText), int64(0)
	for name, c := range map[string]struct {
		target int64 // in the file; the field is nowhere if the target is none
		bytes  []byte
	}{
		"CALL":               {inCode, []byte{0xe8, field}},
		"JMP":                {inCode, []byte{0xe9, field}},
		"JNE":                {inCode, []byte{0x0f, 0x85, field}},
		"LEA":                {inData, []byte{0x48, 0x8d, 0x05, field}},
		"LEA of R15":         {inData, []byte{0x4c, 0x8d, 0x3d, field}},
		"CMPB imm8":          {inData, []byte{0x80, 0x3d, field, other}},
		"CMPL imm8":          {inData, []byte{0x83, 0x3d, field, other}},
		"MOVL imm32":         {inData, []byte{0xc7, 0x05, field, other, other, other, other}},
		"MOVW imm16":         {inData, []byte{0x66, 0xc7, 0x05, field, other, other}},
		"TESTB imm8":         {inData, []byte{0xf6, 0x05, field, other}},
		"TESTL imm32":        {inData, []byte{0xf7, 0x05, field, other, other, other, other}},
		"NEGL":               {inData, []byte{0xf7, 0x1d, field}},
		"IMUL imm32":         {inData, []byte{0x69, 0x05, field, other, other, other, other}},
		"MOVZX":              {inData, []byte{0x0f, 0xb6, 0x05, field}},
		"PSHUFD imm8":        {inData, []byte{0x66, 0x0f, 0x70, 0x05, field, other}},
		"PSHUFB":             {inData, []byte{0x66, 0x0f, 0x38, 0x00, 0x05, field}},
		"PALIGNR imm8":       {inData, []byte{0x66, 0x0f, 0x3a, 0x0f, 0x05, field, other}},
		"VMOVDQU":            {inData, []byte{0xc5, 0xfe, 0x6f, 0x05, field}},
		"VPSHUFD imm8":       {inData, []byte{0xc5, 0xf9, 0x70, 0x05, field, other}},
		"VPADDD":             {inData, []byte{0xc4, 0x41, 0x7d, 0xfe, 0x05, field}},
		"CALL of data":       {-1, []byte{0xe8, 0x00, 0xf0, 0xff, 0xff}},
		"CALL of nothing":    {-1, []byte{0xe8, 0x00, 0x00, 0x00, 0x70}},
		"ADDL imm32 to EAX":  {-1, []byte{0x90, 0x05, 0x00, 0x00, 0x00, 0x00}},
		"a register instead": {-1, []byte{0x48, 0x8d, 0xc5, 0x00, 0x00, 0x00, 0x00}},
	} {
		text := append(bytes.Repeat([]byte{0x90}, longestLead), c.bytes...)
		at := bytes.IndexByte(text, field)
		if c.target >= 0 {
			text = append(text[:at:at], append(make([]byte, 4), text[at+1:]...)...)
			binary.LittleEndian.PutUint32(text[at:], uint32(c.target-fakeText-int64(len(text))))
		}
		size := fakeText + int64(len(text))
		m := &model{size: size, prog: program{
			space:   space{size, []segment{{0, fakeBase, size, size}}},
			regions: []region{{fakeText, size, code}}}}
		var found []reference
		m.sweepAMD64(append(text, make([]byte, longestLead)...), fakeText, fakeBase+fakeText,
			func(at int64, form form, extra uint8, target int64) {
				found = append(found, reference{at, target, form, extra})
			})
		switch {
		case c.target < 0 && len(found) > 0:
			t.Errorf("%s: found %v, want nothing", name, found)
		case c.target >= 0 && (len(found) != 1 || found[0].target != c.target || found[0].at != fakeText+int64(at) ||
			int(found[0].extra) != len(text)-at-4):
			t.Errorf("%s: found %v, want a field at %d of %d that refers to %d", name, found, at, len(text), c.target)
		}
	}
}
