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

// sweep calls found with the references in b, which is at a position of the table.
func (g *goTable) sweep(b []byte, pos int64, found func(at int64, form form, base uint8, value uint32)) {
	end := pos + int64(len(b))
	value := func(at int64) (uint32, bool) {
		if at < pos || at+4 > end {
			return 0, false
		}
		return binary.LittleEndian.Uint32(b[at-pos:]), true
	}
	field := func(at int64, form form, base uint8) {
		if v, ok := value(at); ok && v != noOffset && (v != 0 || base != baseCounters) {
			found(at, form, base, v)
		}
	}
	for at := max(pos&^3, g.bases[baseUnits]); at < min(end, g.bases[baseFiles]); at += 4 {
		field(at, offset32, baseFiles)
	}
	g.inlined(pos, end, value, field)
	list := g.list()
	descriptions := list + g.funcs*goEntry
	for at := list + max(0, pos-list)/goEntry*goEntry; at < min(end, descriptions); at += goEntry {
		field(at, offset32, baseText)
		field(at+4, offset32, baseFuncs)
	}
	longest := int64(goFunction + 8*maxLists)
	first, _ := slices.BinarySearch(g.at, uint32(max(0, pos-longest-list)))
	for _, off := range g.at[first:] {
		at := list + int64(off)
		if at >= end {
			break
		}
		if at >= descriptions {
			g.description(at, value, field)
		}
	}
}

// inlined finds the names of calls that were inlined: what kind of function, name, place of the call, line, each in 32
// bits. Nothing says where these are, so they are told by their values.
func (g *goTable) inlined(pos, end int64, value func(int64) (uint32, bool), field func(int64, form, uint8)) {
	from, to := g.bases[baseData], g.bases[baseBuckets]
	if from < g.from || to > g.to {
		return
	}
	names := uint32(g.bases[baseUnits] - g.bases[baseNames])
	for at := max(pos+3, from+3) &^ 3; at+16 <= min(end, to); at += 4 {
		kind, _ := value(at)
		name, _ := value(at + 4)
		if kind >= goKinds || name < goFirstNames || name >= names {
			continue
		}
		place, _ := value(at + 8)
		line, _ := value(at + 12)
		if place < goFar && line < goFar {
			field(at+4, offset32, baseNames)
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
func (g *goTable) description(at int64, value func(int64) (uint32, bool), field func(int64, form, uint8)) {
	field(at, offset32, baseText)
	field(at+4, offset32, baseNames)
	field(at+16, offset32, baseCounters)
	field(at+20, offset32, baseCounters)
	field(at+24, offset32, baseCounters)
	field(at+32, offset32by4, baseUnits)
	lists, ok := value(at + 28)
	last, also := value(at + 40)
	if !ok || !also || lists > maxLists {
		return
	}
	at += goFunction
	for range lists {
		field(at, offset32, baseCounters)
		at += 4
	}
	for range min(last>>24, maxLists) {
		field(at, offset32, baseData)
		at += 4
	}
}
