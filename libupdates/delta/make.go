package delta

import (
	"cmp"
	"encoding/binary"
	"io"
	"runtime/debug"

	"nexus/libupdates/refusal"
)

// maxMake is the largest payload between which Make makes patches, in bytes. It is a bound of its memory, not of the
// format.
const maxMake = 1 << 30

// A Patch says what who applies a patch has to know of it from a source that is trusted.
type Patch struct {
	OldSize, NewSize int64
	First            Link // the first block
}

// Make writes a patch that turns the old file into the new one. The same files give the same patch. The old file may
// be empty; then the patch is the new file, compressed.
func Make(w io.Writer, before io.ReaderAt, oldSize int64, after io.ReaderAt, newSize int64) (Patch, error) {
	p := Patch{OldSize: oldSize, NewSize: newSize}
	if oldSize > maxMake || newSize > maxMake {
		return p, refusal.New(refusal.PayloadTooLarge, "no patches are made for payloads of more than %d bytes",
			maxMake)
	}
	m, err := newMaker(before, oldSize, after, newSize)
	if err != nil {
		return p, err
	}
	blocks, err := m.blocks()
	if err != nil {
		return p, err
	}
	for i := len(blocks) - 1; i >= 0; i-- { // each block names the next
		blocks[i] = append(appendLink(nil, p.First), blocks[i]...)
		p.First = linkTo(blocks[i])
	}
	for _, b := range blocks {
		if _, err := w.Write(b); err != nil {
			return p, err
		}
	}
	return p, nil
}

// A maker knows what moved where, and writes blocks.
type maker struct {
	control control
	predictor
	after io.ReaderAt // the new file
	size  int64       // of it
	fresh []byte      // the new file in the form in which it is compared, while pieces are looked for
}

// rounds is how often pieces are looked for again, with the references that the last pieces predict.
const rounds = 2

func newMaker(before io.ReaderAt, oldSize int64, after io.ReaderAt, newSize int64) (*maker, error) {
	was, is := newModel(before, oldSize), newModel(after, newSize)
	m := &maker{after: after, size: newSize, fresh: make([]byte, newSize)}
	m.control.segments, m.control.bases = is.prog.space.segments, is.bases
	if was.prog.machine == noMachine || is.prog.machine == noMachine {
		was, m.control.segments, m.control.bases = plainModel(before, oldSize), nil, nil
	}
	m.predictor = predictor{old: was, to: is.prog.space, bases: m.control.bases}
	if err := m.find(is); err != nil {
		return nil, err
	}
	m.fresh = nil
	m.release() // the coder needs as much memory as the search for pieces, which is over
	return m, nil
}

// find finds the pieces: first by bytes, with the references of code left out of account, then again with references
// compared by what they refer to.
func (m *maker) find(is *model) error {
	old := make([]byte, m.old.size)
	if m.old.prog.machine == noMachine {
		if err := canonical(old, m.old, nil); err != nil {
			return err
		}
		if err := readAll(m.fresh, is.file, 0); err != nil {
			return err
		}
		m.control.pieces = match(indexOf(old), m.fresh)
		return nil
	}
	var was, will func(int64) int64 // in the first round, references are not compared
	for range rounds {
		if err := canonical(old, m.old, was); err != nil {
			return err
		}
		if err := canonical(m.fresh, is, will); err != nil {
			return err
		}
		m.control.pieces, m.control.learned = match(indexOf(old), m.fresh), nil
		m.release() // the index is not needed while references are compared
		m.atlas = newAtlas(&m.control, &m.old.prog.space, &m.to)
		var err error
		if m.control.learned, err = m.learn(is); err != nil {
			return err
		}
		m.atlas = newAtlas(&m.control, &m.old.prog.space, &m.to)
		m.release() // nor are the references while there is an index
		was, will = m.atlas.project, func(pos int64) int64 { return pos }
	}
	return nil
}

// release gives back memory that is not needed anymore, so that what comes next does not need it in addition.
func (m *maker) release() {
	if m.old.size+m.size > 1<<20 {
		debug.FreeOSMemory()
	}
}

// blocks returns the blocks without their links.
func (m *maker) blocks() ([][]byte, error) {
	packer, err := newPacker()
	if err != nil {
		return nil, err
	}
	blocks := [][]byte{m.head(packer)}
	var c changes
	at, fresh := int64(0), make([]byte, stride)
	flush := func() {
		blocks = append(blocks, c.block(packer))
		c = changes{}
	}
	for _, p := range append(m.control.pieces, piece{new: m.size}) {
		for at < p.new {
			n := min(p.new-at, maxContent-int64(len(c.literals)), stride)
			if err := readAll(fresh[:n], m.after, at); err != nil {
				return nil, err
			}
			c.literals = append(c.literals, fresh[:n]...)
			at += n
			if c.length += n; len(c.literals) == maxContent {
				flush()
			}
		}
		for off := int64(0); off < p.n; off += stride {
			b, err := m.predict(p, off, min(stride, p.n-off))
			if err != nil {
				return nil, err
			}
			if err := readAll(fresh[:len(b)], m.after, at); err != nil {
				return nil, err
			}
			c.compare(b, fresh[:len(b)])
			at += int64(len(b))
			if len(c.wrong) > maxContent-stride || len(c.runs) > maxContent-2*widest*stride {
				flush()
			}
		}
	}
	if c.length > 0 {
		flush()
	}
	return blocks, nil
}

// head returns the first block: the sizes, and what is copied from where.
func (m *maker) head(p *packer) []byte {
	sizes := binary.AppendUvarint([]byte{version}, uint64(m.old.size))
	return p.append(binary.AppendUvarint(sizes, uint64(m.size)), m.control.encode())
}

// stride is how many bytes are predicted at a time.
const stride = 32 << 10

// changes are the parts of a block: what the prediction lacks for length bytes of the new file.
type changes struct {
	length   int64
	right    int64  // bytes of pieces since the last wrong one
	runs     []byte // how many bytes of pieces are right, how many then wrong, and so on
	wrong    []byte // the differences of wrong bytes
	literals []byte // bytes between pieces
}

// compare adds what is wrong in the prediction of the start of fresh.
func (c *changes) compare(predicted, fresh []byte) {
	for at := 0; at < len(predicted); {
		same := common(predicted[at:], fresh)
		at, fresh, c.right = at+same, fresh[same:], c.right+int64(same)
		run := 0
		for at+run < len(predicted) && predicted[at+run] != fresh[run] {
			c.wrong = append(c.wrong, fresh[run]-predicted[at+run])
			run++
		}
		if run > 0 {
			c.runs = binary.AppendUvarint(binary.AppendUvarint(c.runs, uint64(c.right)), uint64(run))
			c.right = 0
		}
		at, fresh = at+run, fresh[run:]
	}
	c.length += int64(len(predicted))
}

func (c *changes) block(p *packer) []byte {
	b := binary.AppendUvarint(nil, uint64(c.length))
	return p.append(p.append(p.append(b, c.runs), c.wrong), c.literals)
}

func readAll(b []byte, file io.ReaderAt, at int64) error {
	if n, err := file.ReadAt(b, at); n < len(b) {
		return cmp.Or(err, io.ErrUnexpectedEOF)
	}
	return nil
}
