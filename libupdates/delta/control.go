package delta

import "encoding/binary"

// A control is the first part of a patch: what moved where. From it and the old file everything is predicted.
type control struct {
	segments []segment // of the new program, none if it is no program
	bases    []int64   // positions in the new file from which offsets count
	pieces   []piece   // in ascending order in the new file, apart from each other
	learned  []piece   // where other positions are, in ascending order in the old file, apart from each other
}

// encode returns the control part.
func (c *control) encode() []byte {
	b := binary.AppendUvarint(nil, uint64(len(c.segments)))
	for _, g := range c.segments {
		for _, v := range []int64{g.off, g.addr, g.inFile, g.inMemory} {
			b = binary.AppendUvarint(b, uint64(v))
		}
	}
	b = binary.AppendUvarint(b, uint64(len(c.bases)))
	for _, v := range c.bases {
		b = binary.AppendUvarint(b, uint64(v))
	}
	b = binary.AppendUvarint(b, uint64(len(c.pieces)))
	end := int64(0)
	for _, p := range c.pieces {
		b = binary.AppendUvarint(b, uint64(p.new-end))
		end = p.new + p.n
	}
	for _, p := range c.pieces {
		b = binary.AppendUvarint(b, uint64(p.n))
	}
	end = 0
	for _, p := range c.pieces {
		b = binary.AppendUvarint(b, zigzag(p.old-end))
		end = p.old + p.n
	}
	return c.appendLearned(b)
}

// appendLearned appends what was learned: lengths, and by how much positions move.
func (c *control) appendLearned(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.learned)))
	end, last := int64(0), int64(0)
	for _, p := range c.learned {
		b = binary.AppendUvarint(b, uint64(p.old-end))
		b = binary.AppendUvarint(b, uint64(p.n))
		b = binary.AppendUvarint(b, zigzag(p.new-p.old-last))
		end, last = p.old+p.n, p.new-p.old
	}
	return b
}

// maxBases bounds the number of bases.
const maxBases = 16

// decodeControl reads the control part of a patch between files of these sizes.
func decodeControl(raw []byte, oldSize, newSize int64) (*control, error) {
	r, c := reader{rest: raw}, &control{}
	for range r.number(maxSegments, "the number of segments") {
		c.segments = append(c.segments, segment{r.number(newSize, "an offset of a segment"),
			r.number(maxAddress, "an address of a segment"), r.number(newSize, "a size of a segment"),
			r.number(maxAddress, "a size of a segment")})
	}
	for range r.number(maxBases, "the number of bases") {
		c.bases = append(c.bases, r.number(newSize, "a base"))
	}
	c.pieces = make([]piece, r.number(min(maxPieces, int64(len(r.rest))), "the number of pieces"))
	end := int64(0)
	for i := range c.pieces {
		c.pieces[i].new = end + r.number(newSize-end, "a gap between pieces")
		end = c.pieces[i].new
	}
	c.readLengths(&r, newSize)
	c.readPlaces(&r, oldSize)
	c.readLearned(&r)
	r.end("what was learned")
	if s := (space{size: newSize, segments: c.segments}); r.err == nil && !s.valid() {
		r.fail("the segments of the new program overlap or exceed it")
	}
	return c, r.err
}

// readLengths reads the lengths of the pieces. Until then their places in the new file do not count what is before
// them.
func (c *control) readLengths(r *reader, newSize int64) {
	sum := int64(0)
	for i := range c.pieces {
		p := &c.pieces[i]
		p.new += sum
		if p.new > newSize {
			r.fail("a piece begins at %d of %d bytes", p.new, newSize)
			return
		}
		p.n = r.number(newSize-p.new, "the length of a piece")
		sum += p.n
	}
}

// readPlaces reads where the pieces are in the old file.
func (c *control) readPlaces(r *reader, oldSize int64) {
	end := int64(0)
	for i := range c.pieces {
		p := &c.pieces[i]
		p.old = end + unzigzag(uint64(r.number(2*MaxSize, "the place of a piece")))
		if p.old < 0 || p.old > oldSize || p.n > oldSize-p.old {
			r.fail("a piece is from %d to %d of the old payload, which has %d bytes", p.old, p.old+p.n, oldSize)
			return
		}
		end = p.old + p.n
	}
}

// readLearned reads what was learned. Any position of a space may be in it.
func (c *control) readLearned(r *reader) {
	c.learned = make([]piece, r.number(min(maxLearned, int64(len(r.rest))), "the number of learned pieces"))
	end, last := int64(0), int64(0)
	for i := range c.learned {
		p := &c.learned[i]
		p.old = end + r.number(maxAddress, "the start of a learned piece")
		p.n = r.number(maxAddress, "the length of a learned piece")
		last += unzigzag(uint64(r.number(4*maxAddress, "the way of a learned piece")))
		p.new = p.old + last
		if end = p.old + p.n; end > 2*maxAddress || p.new < 0 || p.new > 4*maxAddress {
			r.fail("a learned piece is out of bounds")
			return
		}
	}
}
