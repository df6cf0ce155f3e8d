package delta

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// Go's table that finds functions by addresses has a bucket for each 4 KiB of code: the number of the function at its
// start in 32 bits, and for each 256 bytes, in 8 bits, how many functions further the one is that is there. All of it
// follows from where functions are.
const (
	bucketSize = 20
	bucketCode = 4096
	bucketPart = 256
)

// appendBuckets appends the buckets that begin in a range, as references to themselves.
func (g *goTable) appendBuckets(found []reference, from, to int64) []reference {
	first := g.bases[baseBuckets]
	for i := max(0, from-first+bucketSize-1) / bucketSize; i < g.buckets && first+i*bucketSize < to; i++ {
		at := first + i*bucketSize
		found = append(found, reference{at: at, target: at, form: bucket})
	}
	return found
}

// A finder predicts where functions are in the new program, and their numbers.
type finder struct{ functions []function }

type function struct{ entry, number uint32 }

// functions returns the finder of this predictor.
func (p *predictor) functions() *finder {
	if p.finder != nil {
		return p.finder
	}
	g := &p.old.table
	p.finder = &finder{make([]function, 0, g.funcs)}
	for i, entry := range g.entry {
		at := p.atlas.project(g.bases[baseText]+int64(entry)) - p.bases[baseText]
		number := (p.atlas.project(g.list()+int64(i)*goEntry) - p.bases[baseFuncs]) / goEntry
		if at == int64(uint32(at)) && number == int64(uint32(number)) {
			p.finder.functions = append(p.finder.functions, function{uint32(at), uint32(number)})
		}
	}
	slices.SortStableFunc(p.finder.functions, func(a, b function) int { return cmp.Compare(a.entry, b.entry) })
	return p.finder
}

// put makes the bucket at an offset of the new table.
func (f *finder) put(field []byte, off int64) {
	if off < 0 || off%bucketSize != 0 || len(f.functions) == 0 {
		return
	}
	first := f.at(off / bucketSize * bucketCode)
	binary.LittleEndian.PutUint32(field, first)
	for i := range bucketCode / bucketPart {
		field[4+i] = byte(f.at(off/bucketSize*bucketCode+int64(i)*bucketPart) - first)
	}
}

// at returns the number of the function at an offset of the code.
func (f *finder) at(off int64) uint32 {
	i, found := slices.BinarySearchFunc(f.functions, off, func(a function, off int64) int {
		return cmp.Compare(int64(a.entry), off)
	})
	if !found {
		i--
	}
	return f.functions[max(i, 0)].number
}
