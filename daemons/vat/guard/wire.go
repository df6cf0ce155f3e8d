package guard

import "encoding/binary"

// wordSize is the size of a word, in bytes.
const wordSize = 8

// A checker walks each pointer of a message once. Every word may belong to at most one object, which is true of every
// message that an honest builder makes. Walking or copying the message then costs no more than its size, because loops
// and amplification need some word twice.
type checker struct {
	segments [][]byte
	first    []int    // for each segment: index of its first word in taken
	taken    []uint64 // one bit for each word of the message
}

// check returns a refusal unless the segments make a valid message.
func (c *checker) check(segments [][]byte) error {
	c.segments, c.first = segments, c.first[:0]
	words := 0
	for _, s := range segments {
		c.first = append(c.first, words)
		words += len(s) / wordSize
	}
	n := (words + 63) / 64
	if cap(c.taken) < n {
		c.taken = make([]uint64, n)
	}
	c.taken = c.taken[:n]
	clear(c.taken)
	if len(segments[0]) < wordSize {
		return refuse(BadSegment)
	}
	c.take(0, 0, 1)
	return c.pointer(0, 0, MaxDepth)
}

// pointer checks the object behind the pointer at a word.
func (c *checker) pointer(seg, at, depth int) error {
	raw := c.word(seg, at)
	if raw == 0 {
		return nil
	}
	if depth == 0 {
		return refuse(TooDeep)
	}
	seg, base, raw, err := c.follow(seg, at+1, raw)
	if err != nil {
		return err
	}
	start := base + int(int32(raw)>>2)
	switch raw & 3 {
	case 0:
		return c.object(seg, start, int(uint16(raw>>32)), int(raw>>48), depth-1)
	case 1:
		return c.list(seg, start, raw, depth-1)
	case 3:
		if uint32(raw) != 3 {
			return refuse(BadPointer)
		}
		return nil
	default:
		return refuse(FarChain)
	}
}

// follow follows far pointers. It returns the plain pointer and the word that its offset counts from.
func (c *checker) follow(seg, base int, raw uint64) (int, int, uint64, error) {
	if raw&3 != 2 {
		return seg, base, raw, nil
	}
	double := raw&4 != 0
	pad := 1
	if double {
		pad = 2
	}
	seg, at := int(raw>>32), int(uint32(raw)>>3)
	if err := c.take(seg, at, pad); err != nil {
		return 0, 0, 0, err
	}
	landed := c.word(seg, at)
	if !double {
		if landed&3 > 1 {
			return 0, 0, 0, refuse(FarChain)
		}
		return seg, at + 1, landed, nil
	}
	tag := c.word(seg, at+1)
	if landed&7 != 2 || tag&3 > 1 || uint32(tag)>>2 != 0 {
		return 0, 0, 0, refuse(FarChain)
	}
	if int(landed>>32) >= len(c.segments) {
		return 0, 0, 0, refuse(BadSegment)
	}
	return int(landed >> 32), int(uint32(landed) >> 3), tag, nil
}

// object checks a struct.
func (c *checker) object(seg, start, data, pointers, depth int) error {
	if data+pointers == 0 {
		return nil
	}
	if err := c.take(seg, start, data+pointers); err != nil {
		return err
	}
	return c.pointers(seg, start+data, pointers, depth)
}

// list checks a list.
func (c *checker) list(seg, start int, raw uint64, depth int) error {
	count := int(raw >> 35)
	switch kind := raw >> 32 & 7; kind {
	case 0:
		if count > MaxEmptyElements {
			return refuse(HugeList)
		}
		return nil
	case 6:
		if err := c.take(seg, start, count); err != nil {
			return err
		}
		return c.pointers(seg, start, count, depth)
	case 7:
		return c.structs(seg, start, count, depth)
	default:
		bits := [...]int{1: 1, 2: 8, 3: 16, 4: 32, 5: 64}[kind]
		return c.take(seg, start, (count*bits+63)/64)
	}
}

// structs checks a list of structs, which starts with a tag.
func (c *checker) structs(seg, start, words, depth int) error {
	if err := c.take(seg, start, words+1); err != nil {
		return err
	}
	tag := c.word(seg, start)
	count := int(int32(tag) >> 2)
	data, pointers := int(uint16(tag>>32)), int(tag>>48)
	size := data + pointers
	switch {
	case tag&3 != 0 || count < 0 || count*size > words:
		return refuse(BadPointer)
	case size == 0 && count > MaxEmptyElements:
		return refuse(HugeList)
	case pointers == 0:
		return nil
	}
	for i := range count {
		if err := c.pointers(seg, start+1+i*size+data, pointers, depth); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) pointers(seg, at, count, depth int) error {
	for i := range count {
		if err := c.pointer(seg, at+i, depth); err != nil {
			return err
		}
	}
	return nil
}

// take marks words as part of one object.
func (c *checker) take(seg, at, count int) error {
	if seg >= len(c.segments) {
		return refuse(BadSegment)
	}
	if at < 0 || at+count > len(c.segments[seg])/wordSize {
		return refuse(OutOfBounds)
	}
	for at, end := c.first[seg]+at, c.first[seg]+at+count; at < end; {
		n := min(64-at%64, end-at)
		mask := ^uint64(0) >> (64 - n) << (at % 64)
		if c.taken[at/64]&mask != 0 {
			return refuse(Overlapping)
		}
		c.taken[at/64] |= mask
		at += n
	}
	return nil
}

// word reads a word whose bounds have been checked.
func (c *checker) word(seg, at int) uint64 {
	return binary.LittleEndian.Uint64(c.segments[seg][at*wordSize:])
}
