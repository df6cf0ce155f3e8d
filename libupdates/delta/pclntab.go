package delta

import (
	"encoding/binary"
	"io"
	"slices"
)

// The table of functions of Go 1.20 and later: a header, then tables to which its fields refer by offset. Only sizes
// and offsets are known here; whatever does not fit is read as plain bytes.
const (
	goMagic    = 0xfffffff1
	goHeader   = 72
	goEntry    = 8  // of the list of functions: entry, offset of its description
	goFunction = 44 // the fixed part of a description
	maxFuncs   = 1 << 18
	maxLists   = 64 // values of pcdata or funcdata in one description
)

// The bases of offsets in a table of functions.
const (
	baseText uint8 = iota
	baseNames
	baseUnits
	baseFiles
	baseCounters
	baseFuncs
	baseData
	baseTypes
	baseBuckets
	baseCount
)

// A goTable is the table of functions in a program. The zero value is no table.
type goTable struct {
	region
	bases []int64  // positions
	funcs int64    // number of functions
	at    []uint32 // offsets of their descriptions from baseFuncs, ascending
	entry []uint32 // where they begin, from baseText, ascending
	types region   // the descriptions of types

	entries [1 << 13]uint64 // a bit for each entry, which may be one of several

	buckets int64 // whole ones in the table that finds functions by addresses
}

// readGoTable reads the table of functions in a region.
func readGoTable(file io.ReaderAt, p *program, r region) goTable {
	le := binary.LittleEndian
	head := readAt(file, r.from, goHeader, p.space.size)
	if head == nil || le.Uint32(head) != goMagic || head[7] != 8 {
		return goTable{}
	}
	g := goTable{region: r, bases: make([]int64, baseCount), funcs: int64(le.Uint64(head[8:]))}
	for i := range int(baseFuncs) {
		off := int64(le.Uint64(head[32+8*i:]))
		if off < 0 || off > r.to-r.from {
			return goTable{}
		}
		g.bases[baseNames+uint8(i)] = r.from + off
	}
	list := g.list()
	if g.funcs < 1 || g.funcs > maxFuncs || g.funcs*goEntry > r.to-list {
		return goTable{}
	}
	buffer := readAt(file, list, g.funcs*goEntry, p.space.size)
	if buffer == nil {
		return goTable{}
	}
	g.at, g.entry = make([]uint32, g.funcs), make([]uint32, g.funcs)
	for i := range g.at {
		g.entry[i], g.at[i] = le.Uint32(buffer[i*goEntry:]), le.Uint32(buffer[i*goEntry+4:])
	}
	if !slices.IsSorted(g.at) || !slices.IsSorted(g.entry) {
		return goTable{}
	}
	for _, off := range g.entry {
		g.entries[off>>9%uint32(len(g.entries))] |= 1 << (off >> 3 % 64)
	}
	g.readBases(file, p)
	return g
}

// list returns the position of the list of functions. The descriptions follow it, and their offsets are from it.
func (g *goTable) list() int64 { return g.bases[baseFuncs] }

// Words of runtime.moduledata.
const (
	moduleFind   = 19
	moduleFirst  = 20 // the first address of code, and the end
	moduleText   = 22
	moduleTypes  = 37 // and their end
	moduleGofunc = 40
	moduleWords  = 48
)

// readBases finds runtime.moduledata, whose first words point to the table and to parts of it, and takes from there the
// positions that the table does not say. Without it they are those of the code and of the table.
func (g *goTable) readBases(file io.ReaderAt, p *program) {
	le := binary.LittleEndian
	g.bases[baseText], g.bases[baseData] = p.codeStart(), g.from
	first, ok := p.space.address(g.from)
	names, in := p.space.address(g.bases[baseNames])
	if !ok || !in {
		return
	}
	want := le.AppendUint64(le.AppendUint64(nil, uint64(first)), uint64(names))
	at := find(file, p, want)
	words := readAt(file, at, moduleWords*8, p.space.size)
	if at < 0 || words == nil {
		return
	}
	for i, to := range map[int]*int64{moduleText: &g.bases[baseText], moduleGofunc: &g.bases[baseData],
		moduleTypes: &g.types.from, moduleTypes + 1: &g.types.to} {
		if pos, ok := p.space.position(int64(le.Uint64(words[i*8:]))); ok {
			*to = pos
		}
	}
	g.bases[baseTypes] = g.types.from
	length := int64(le.Uint64(words[(moduleFirst+1)*8:]) - le.Uint64(words[moduleFirst*8:]))
	at, ok = p.space.position(int64(le.Uint64(words[moduleFind*8:])))
	if ok && at >= g.from && length > 0 && length/bucketCode <= (g.to-at)/bucketSize {
		g.bases[baseBuckets], g.buckets = at, length/bucketCode
	}
}

// isEntry reports whether a function begins at an offset of the code.
func (g *goTable) isEntry(off uint32) bool {
	if g.entries[off>>9%uint32(len(g.entries))]>>(off>>3%64)&1 == 0 {
		return false
	}
	_, found := slices.BinarySearch(g.entry, off)
	return found
}

// find returns the position of a text at a multiple of 8 in the regions that hold words, or -1.
func find(file io.ReaderAt, p *program, text []byte) int64 {
	buffer := make([]byte, chunkSize+int64(len(text)))
	for _, r := range p.regions {
		if r.content != words {
			continue
		}
		for from := (r.from + 7) &^ 7; from < r.to; from += chunkSize {
			b := buffer[:min(int64(len(buffer)), r.to-from)]
			if n, err := file.ReadAt(b, from); n < len(b) && err != nil {
				return -1
			}
			for at := 0; at+len(text) <= len(b); at += 8 {
				if string(b[at:at+len(text)]) == string(text) {
					return from + int64(at)
				}
			}
		}
	}
	return -1
}

// A tableSweep adds the references in fields of the table that begin in a range.
type tableSweep struct {
	*goTable
	found          []reference
	bytes          []byte // of the range, and what is around it
	pos            int64  // of the first byte
	from, to, size int64  // the range, and the size of the file
}

// field adds the field at a position, if there is something to which it refers.
func (s *tableSweep) field(at int64, form form, base uint8) {
	if at < s.from || at >= s.to {
		return
	}
	value, ok := s.value(at)
	if !ok || value == noOffset || value == 0 && base == baseCounters {
		return
	}
	target := int64(value)
	if form == offset32by4 {
		target *= 4
	}
	if target += s.bases[base]; target <= s.size {
		s.found = append(s.found, reference{at, target, form, base})
	}
}

func (s *tableSweep) value(at int64) (uint32, bool) {
	if at -= s.pos; at < 0 || at+4 > int64(len(s.bytes)) {
		return 0, false
	}
	return binary.LittleEndian.Uint32(s.bytes[at:]), true
}

// all adds all references of the range.
func (s *tableSweep) all() {
	units := s.bases[baseUnits]
	for at := units + max(0, s.from-units+3)&^3; at < min(s.to, s.bases[baseFiles]); at += 4 {
		s.field(at, offset32, baseFiles)
	}
	s.inlined()
	list := s.list()
	descriptions := list + s.funcs*goEntry
	for at := list + max(0, s.from-list)/goEntry*goEntry; at < min(s.to, descriptions); at += goEntry {
		s.field(at, offset32, baseText)
		s.field(at+4, offset32, baseFuncs)
	}
	longest := int64(goFunction + 8*maxLists)
	first, _ := slices.BinarySearch(s.at, uint32(max(0, s.from-longest-list)))
	for _, off := range s.at[first:] {
		at := list + int64(off)
		if at >= s.to {
			break
		}
		if at >= descriptions {
			s.description(at)
		}
	}
}

// inlined finds the names of calls that were inlined: what kind of function, name, place of the call, line, each in 32
// bits. Nothing says where these are, so they are told by their values.
func (s *tableSweep) inlined() {
	le := binary.LittleEndian
	from, to := s.bases[baseData], s.bases[baseBuckets]
	if from < s.goTable.region.from || to > s.goTable.region.to {
		return
	}
	names := uint32(s.bases[baseUnits] - s.bases[baseNames])
	end := min(s.pos+int64(len(s.bytes)), to)
	for at := (max(s.pos, from) + 3) &^ 3; at+16 <= end; at += 4 {
		b := s.bytes[at-s.pos:][:16]
		if kind, name := le.Uint32(b), le.Uint32(b[4:]); kind >= goKinds || name < goFirstNames || name >= names {
			continue
		}
		if place, line := le.Uint32(b[8:]), le.Uint32(b[12:]); place < goFar && line < goFar {
			s.field(at+4, offset32, baseNames)
		}
	}
}

// Bounds of what is taken for an inlined call.
const (
	goKinds      = 32
	goFirstNames = 256
	goFar        = 1 << 20
)

// noOffset says in a list of offsets that there is none; in the table of counters, 0 does.
const noOffset = 1<<32 - 1

// description finds the fields of one function's description.
func (s *tableSweep) description(at int64) {
	s.field(at, offset32, baseText)
	s.field(at+4, offset32, baseNames)
	s.field(at+16, offset32, baseCounters)
	s.field(at+20, offset32, baseCounters)
	s.field(at+24, offset32, baseCounters)
	s.field(at+32, offset32by4, baseUnits)
	lists, ok := s.value(at + 28)
	last, also := s.value(at + 40)
	if !ok || !also || lists > maxLists {
		return
	}
	at += goFunction
	for range lists {
		s.field(at, offset32, baseCounters)
		at += 4
	}
	for range min(last>>24, maxLists) {
		s.field(at, offset32, baseData)
		at += 4
	}
}
