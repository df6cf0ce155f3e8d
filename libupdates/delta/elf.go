package delta

import (
	"encoding/binary"
	"io"
	"slices"
)

// A machine is the instruction set of a program.
type machine uint16

// The machines whose code is understood, as ELF numbers them.
const (
	noMachine machine = 0
	amd64     machine = 62
	arm64     machine = 183
	riscv64   machine = 243
)

// A content says how a region of a file is to be read.
type content uint8

const (
	plain   content = iota // bytes
	code                   // instructions of the machine
	words                  // aligned words, some of which are addresses
	tables                 // constants, with tables of jumps among them
	pclntab                // the function table of Go's runtime
	frames                 // .eh_frame
	search                 // .eh_frame_hdr
)

// A region is a part of a file with one kind of content.
type region struct {
	from, to int64
	content  content
}

// Sizes and offsets of ELF's 64-bit structures, and the bounds of what is read of them.
const (
	elfHeader      = 64
	elfProgram     = 56
	elfSection     = 64
	maxPrograms    = 64
	maxSections    = 256
	maxNames       = 16 << 10
	loadable       = 1 // PT_LOAD
	programBits    = 1 // SHT_PROGBITS
	stringTable    = 3 // SHT_STRTAB
	note           = 7 // SHT_NOTE
	noBits         = 8 // SHT_NOBITS
	flagWrite      = 1
	flagAlloc      = 2
	flagExecute    = 4
	fixedAddress   = 2 // ET_EXEC
	littleEndian   = 1
	class64        = 2
	segmentExecute = 1 // PF_X
)

// A program is what the headers of an ELF file say. The zero value is that of any other file.
type program struct {
	machine machine
	fixed   bool // addresses are those at which it will run
	space   space
	regions []region // in ascending order, apart from each other
}

// readProgram reads the headers of a file. What it does not understand is plain bytes: no file is refused.
func readProgram(file io.ReaderAt, size int64) program {
	other := program{space: space{size: size}}
	head := readAt(file, 0, elfHeader, size)
	if head == nil || string(head[:4]) != "\x7fELF" || head[4] != class64 || head[5] != littleEndian {
		return other
	}
	le := binary.LittleEndian
	p := program{machine: machine(le.Uint16(head[18:])), fixed: le.Uint16(head[16:]) == fixedAddress}
	if p.machine != amd64 && p.machine != arm64 && p.machine != riscv64 {
		return other
	}
	count := int64(le.Uint16(head[56:]))
	if le.Uint16(head[54:]) != elfProgram || count > maxPrograms {
		return other
	}
	table := readAt(file, int64(le.Uint64(head[32:])), count*elfProgram, size)
	if table == nil {
		return other
	}
	var segments []segment
	for ; len(table) > 0; table = table[elfProgram:] {
		if le.Uint32(table) != loadable {
			continue
		}
		g := segment{int64(le.Uint64(table[8:])), int64(le.Uint64(table[16:])), int64(le.Uint64(table[32:])),
			int64(le.Uint64(table[40:]))}
		is := words
		if le.Uint32(table[4:])&segmentExecute != 0 {
			is = code
		}
		segments = append(segments, g)
		p.regions = append(p.regions, region{g.off, g.off + g.inFile, is})
	}
	if p.space = newSpace(size, segments); len(p.space.segments) == 0 {
		return other
	}
	if sections := readSections(file, size, head); sections != nil {
		p.regions = sections
	}
	p.regions = apart(p.regions, size)
	return p
}

// readSections returns the regions that the section headers describe, or nil if there are none that can be read.
func readSections(file io.ReaderAt, size int64, head []byte) []region {
	le := binary.LittleEndian
	count, names := int64(le.Uint16(head[60:])), int64(le.Uint16(head[62:]))
	if le.Uint16(head[58:]) != elfSection || count == 0 || count > maxSections || names >= count {
		return nil
	}
	table := readAt(file, int64(le.Uint64(head[40:])), count*elfSection, size)
	if table == nil {
		return nil
	}
	named := table[names*elfSection:]
	texts := readAt(file, int64(le.Uint64(named[24:])), min(int64(le.Uint64(named[32:])), maxNames), size)
	var regions []region
	for ; len(table) > 0; table = table[elfSection:] {
		kind, flags := le.Uint32(table[4:]), le.Uint64(table[8:])
		if kind == 0 || kind == noBits || flags&flagAlloc == 0 {
			continue
		}
		from, length := int64(le.Uint64(table[24:])), int64(le.Uint64(table[32:]))
		if from < 0 || from > size || length < 0 || length > size-from {
			continue
		}
		c := contentOf(name(texts, le.Uint32(table)), kind, flags)
		regions = append(regions, region{from, from + length, c})
	}
	return regions
}

func contentOf(name string, kind uint32, flags uint64) content {
	switch {
	case kind == stringTable, kind == note:
		return plain
	case flags&flagExecute != 0:
		return code
	case name == ".gopclntab" || name == ".data.rel.ro.gopclntab":
		return pclntab
	case name == ".eh_frame":
		return frames
	case name == ".eh_frame_hdr":
		return search
	case kind == programBits && flags&flagWrite == 0:
		return tables
	}
	return words
}

// name returns the text that begins at an offset of a string table.
func name(texts []byte, at uint32) string {
	if int64(at) >= int64(len(texts)) {
		return ""
	}
	texts = texts[at:]
	end := slices.Index(texts, 0)
	if end < 0 {
		return ""
	}
	return string(texts[:end])
}

// apart sorts regions, and leaves out those that overlap one before them.
func apart(regions []region, size int64) []region {
	slices.SortStableFunc(regions, func(a, b region) int { return int(min(max(a.from-b.from, -1), 1)) })
	end := int64(0)
	return slices.DeleteFunc(regions, func(r region) bool {
		if r.from < end || r.to <= r.from || r.to > size {
			return true
		}
		end = r.to
		return false
	})
}

// readAt returns n bytes at an offset, or nil if the file does not have them.
func readAt(file io.ReaderAt, off, n, size int64) []byte {
	if off < 0 || n < 0 || off > size || n > size-off {
		return nil
	}
	b := make([]byte, n)
	if got, err := file.ReadAt(b, off); got < len(b) && err != nil {
		return nil
	}
	return b
}
