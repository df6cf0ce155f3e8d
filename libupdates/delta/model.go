package delta

import (
	"cmp"
	"encoding/binary"
	"io"
	"slices"
)

// chunkSize is how much of a file is searched for references at a time. Where a chunk begins determines what is found
// in it, so maker and applier must use the same.
const chunkSize = 8 << 10

// lead and far are how many bytes around a chunk are read with it: instructions are decoded from a little before it
// to find where one begins, and fields may extend beyond it.
const (
	lead = 64
	far  = 1024 // in tables of functions, whose descriptions are longer than instructions
)

// A model is what is known about a file whose bytes refer to each other.
type model struct {
	file   io.ReaderAt
	size   int64
	prog   program
	table  goTable
	bases  []int64 // positions from which offsets count
	chunks map[int64][]reference
	order  []int64 // the chunks that are kept, oldest first
	window window
}

// A window is a part of a file, which is read in larger parts than it is looked at.
type window struct {
	from  int64
	bytes []byte
}

// windowSize is how much of a file is read at once.
const windowSize = 64 << 10

// read returns bytes of the file, until the next read.
func (m *model) read(from, to int64) ([]byte, error) {
	w := &m.window
	if from < w.from || to > w.from+int64(len(w.bytes)) {
		n := min(max(windowSize, to-from), m.size-from)
		w.from, w.bytes = from, slices.Grow(w.bytes[:0], int(n))[:n]
		if got, err := m.file.ReadAt(w.bytes, from); got < len(w.bytes) {
			w.bytes = w.bytes[:0]
			return nil, cmp.Or(err, io.ErrUnexpectedEOF)
		}
	}
	return w.bytes[from-w.from : to-w.from], nil
}

// keptChunks bounds how many chunks are kept.
const keptChunks = 16

// newModel reads what a file says about itself. Any file has a model; that of a file that is no program has no
// references.
func newModel(file io.ReaderAt, size int64) *model {
	m := &model{file: file, size: size, prog: readProgram(file, size), chunks: map[int64][]reference{}}
	m.bases = make([]int64, baseCount)
	for i, r := range m.prog.regions {
		if r.content != pclntab {
			continue
		}
		if m.table.funcs == 0 {
			m.table = readGoTable(file, &m.prog, r)
		}
		if m.table.region != r {
			m.prog.regions[i].content = plain
		}
	}
	if m.table.funcs > 0 {
		copy(m.bases, m.table.bases)
	}
	for _, r := range m.prog.regions {
		if r.content == search {
			m.bases = append(m.bases, r.from)
		}
	}
	return m
}

// plainModel returns the model of a file without references.
func plainModel(file io.ReaderAt, size int64) *model {
	return &model{file: file, size: size, prog: program{space: space{size: size}}, chunks: map[int64][]reference{}}
}

// codeStart returns where the first region of instructions begins.
func (p *program) codeStart() int64 {
	for _, r := range p.regions {
		if r.content == code {
			return r.from
		}
	}
	return 0
}

// references returns the references in fields that begin in a chunk, in ascending order of their positions. They
// depend only on the file.
func (m *model) references(chunk int64) ([]reference, error) {
	if found, ok := m.chunks[chunk]; ok {
		return found, nil
	}
	var found []reference
	if len(m.order) == keptChunks { // reuse the memory of the oldest
		found = m.chunks[m.order[0]][:0]
		delete(m.chunks, m.order[0])
		m.order = slices.Delete(m.order, 0, 1)
	}
	from, to := chunk*chunkSize, min((chunk+1)*chunkSize, m.size)
	for _, r := range m.prog.regions {
		if r.from >= to || r.to <= from || r.content == plain {
			continue
		}
		var err error
		if found, err = m.sweep(found, r, max(from, r.from), min(to, r.to)); err != nil {
			return nil, err
		}
	}
	m.chunks[chunk] = found
	m.order = append(m.order, chunk)
	return found, nil
}

// sweep adds the references in fields that begin from an offset to another one of a region.
func (m *model) sweep(found []reference, r region, from, to int64) ([]reference, error) {
	around := int64(lead)
	if r.content == pclntab {
		around = far
	}
	start, end := max(r.from, from-around), min(to+around, r.to)
	b, err := m.read(start, end)
	if err != nil {
		return nil, err
	}
	last := from
	add := func(at int64, form form, extra uint8, target int64) {
		if at >= last && at < to && at+form.size() <= r.to {
			found = append(found, reference{at, target, form, extra})
			last = at + form.size() // fields do not overlap
		}
	}
	switch r.content {
	case code:
		m.sweepCode(b, start, add)
	case words:
		m.sweepWords(b, start, add)
	case tables:
		switch {
		case m.table.funcs > 0:
			m.sweepTypes(b, start, add)
		case m.prog.fixed:
			m.sweepWords(b, start, add)
		default:
			m.sweepTables(b, start, add)
		}
	case frames:
		m.sweepFrames(b, start, r, add)
	case search:
		m.sweepSearch(b, start, r, add)
	case pclntab:
		return m.sweepTable(found, b, start, from, to), nil
	}
	return found, nil
}

// sweepTable adds the references of the table of functions. They may be found in any order.
func (m *model) sweepTable(found []reference, b []byte, start, from, to int64) []reference {
	s := tableSweep{&m.table, found, b, start, from, to, m.size}
	s.all()
	first := len(found)
	found = m.table.appendBuckets(s.found, from, to)
	byPlace := func(a, b reference) int { return cmp.Compare(a.at, b.at) }
	if fresh := found[first:]; !slices.IsSortedFunc(fresh, byPlace) {
		slices.SortStableFunc(fresh, byPlace)
	}
	return found
}

type addFunc func(at int64, form form, extra uint8, target int64)

// sweepCode finds the references of instructions.
func (m *model) sweepCode(b []byte, start int64, add addFunc) {
	addr, ok := m.prog.space.address(start)
	if !ok {
		return
	}
	found := func(at int, form form, extra uint8, target int64) {
		if pos, ok := m.prog.space.position(addr + target); ok {
			add(start+int64(at), form, extra, pos)
		}
	}
	switch m.prog.machine {
	case amd64:
		m.sweepAMD64(b, start, addr, add)
	case arm64:
		if skip := int(-start & 3); skip < len(b) {
			sweepARM(b[skip:], addr+int64(skip), func(at int, form form, extra uint8, target int64) {
				found(at+skip, form, extra, target+int64(skip))
			})
		}
	case riscv64:
		sweepRISCV(b, found)
	}
}

// sweepWords finds the words that hold addresses.
func (m *model) sweepWords(b []byte, start int64, add addFunc) {
	for at := int(-start & 7); at+8 <= len(b); at += 8 {
		v := binary.LittleEndian.Uint64(b[at:])
		if v >= maxAddress || v < 4096 || v%4096 == 0 && !m.prog.fixed { // more often a size than an address
			continue
		}
		if pos, ok := m.prog.space.position(int64(v)); ok {
			add(start+int64(at), address64, 0, pos)
		}
	}
}

// sweepTypes finds the references of constants of Go: addresses, and in descriptions of types the offsets of names,
// types and methods.
func (m *model) sweepTypes(b []byte, start int64, add addFunc) {
	le := binary.LittleEndian
	types := m.table.types
	for at := int(-start & 3); at+8 <= len(b); at += 4 {
		pos := start + int64(at)
		first, second := le.Uint32(b[at:]), le.Uint32(b[at+4:])
		if v := le.Uint64(b[at:]); pos&7 == 0 && v >= 4096 && v < maxAddress {
			if target, ok := m.prog.space.position(int64(v)); ok {
				add(pos, address64, 0, target)
				continue
			}
		}
		if pos < types.from || pos >= types.to {
			continue
		}
		if m.isMethod(first, second) && at >= 8 {
			m.addType(b, start, at-8, add)
			m.addType(b, start, at-4, add)
			add(pos, offset32, baseText, m.bases[baseText]+int64(first))
			add(pos+4, offset32, baseText, m.bases[baseText]+int64(second))
		}
		if pos&7 == 0 && at >= goTypeNames && isGoType(b[at-goTypeNames:at]) {
			m.addType(b, start, at, add)
			m.addType(b, start, at+4, add)
		}
	}
}

// isMethod reports whether two offsets are where the functions of a method begin.
func (m *model) isMethod(first, second uint32) bool {
	return first >= 4096 && second >= 4096 && m.table.isEntry(first) && (first == second || m.table.isEntry(second))
}

// addType adds the offset of a name or a type.
func (m *model) addType(b []byte, start int64, at int, add addFunc) {
	v := int64(binary.LittleEndian.Uint32(b[at:]))
	if target := m.bases[baseTypes] + v; v > 0 && target < m.table.types.to {
		add(start+int64(at), offset32, baseTypes, target)
	}
}

// goTypeNames is where in the description of a type the offsets of its name and of the type of its pointers are.
const goTypeNames = 40

// isGoType reports whether this is the start of the description of a type.
func isGoType(b []byte) bool {
	size, pointers := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	align, field, kind := b[21], b[22], b[23]&0x1f
	return pointers <= size && size < 1<<32 && (align == 1 || align == 2 || align == 4 || align == 8) &&
		(field == 1 || field == 2 || field == 4 || field == 8) && kind >= 1 && kind <= 26
}

// sweepTables finds tables of jumps: words of 32 bits that refer to code, relative to the start of their table. Where
// that is can only be guessed, so they are taken as relative to themselves. That is nearly always the same, since what
// is near the target has moved with it.
func (m *model) sweepTables(b []byte, start int64, add addFunc) {
	was := false
	for at := int(-start & 3); at+4 <= len(b); at += 4 {
		target, is := m.near(b, start, at)
		next := false
		if at+8 <= len(b) {
			_, next = m.near(b, start, at+4)
		}
		if is && (was || next) {
			add(start+int64(at), self32, 0, target)
		}
		was = is
	}
}

// sweepFrames finds the references of .eh_frame: where a function begins, and in the word before it how far back the
// common part of its description is.
func (m *model) sweepFrames(b []byte, start int64, r region, add addFunc) {
	for at := int(-start & 3); at+8 <= len(b); at += 4 {
		target, is := m.near(b, start, at+4)
		if !is {
			continue
		}
		common := start + int64(at) - int64(binary.LittleEndian.Uint32(b[at:]))
		if common >= r.from && common < start+int64(at) {
			add(start+int64(at), back32, 0, common)
		}
		add(start+int64(at)+4, self32, 0, target)
	}
}

// near returns the code to which a word refers, relative to itself.
func (m *model) near(b []byte, start int64, at int) (int64, bool) {
	addr, ok := m.prog.space.address(start + int64(at))
	target, in := m.prog.space.position(addr + int64(int32(binary.LittleEndian.Uint32(b[at:]))))
	return target, ok && in && m.isCode(target)
}

// sweepSearch finds the references of .eh_frame_hdr, pairs of words that are relative to its start.
func (m *model) sweepSearch(b []byte, start int64, r region, add addFunc) {
	base, ok := m.prog.space.address(r.from)
	if !ok {
		return
	}
	for at := int(-start & 3); at+4 <= len(b); at += 4 {
		v := int64(int32(binary.LittleEndian.Uint32(b[at:])))
		if target, ok := m.prog.space.position(base + v); ok && start+int64(at) >= r.from+12 {
			add(start+int64(at), offset32, uint8(len(m.bases)-1), target)
		}
	}
}

func (m *model) isCode(pos int64) bool {
	for _, r := range m.prog.regions {
		if pos >= r.from && pos < r.to {
			return r.content == code
		}
	}
	return false
}
