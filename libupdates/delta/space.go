package delta

import "slices"

// A segment is a range of a program's file and where it is in memory. Memory beyond the file's part is zero.
type segment struct {
	off, addr        int64
	inFile, inMemory int64 // bytes
}

// Bounds of a space. Whatever exceeds them is compared as plain bytes.
const (
	maxSegments = 32
	maxAddress  = 1 << 47
)

// A space gives every byte of a program one position, in the file and in memory: its offset in the file, or for memory
// that the file does not hold a position after the end of the file. The zero value is that of a file that is no
// program.
type space struct {
	size     int64     // of the file
	segments []segment // in ascending order of addresses, without overlap
}

// position returns the position of an address.
func (s *space) position(addr int64) (int64, bool) {
	zero := s.size
	for _, g := range s.segments {
		at := addr - g.addr
		switch {
		case at < 0:
			return 0, false
		case at < g.inFile:
			return g.off + at, true
		case at < g.inMemory:
			return zero + at - g.inFile, true
		case at == g.inMemory && at == g.inFile:
			return g.off + at, true // the end of a segment, to which programs refer, too
		}
		zero += g.inMemory - g.inFile
	}
	return 0, false
}

// address returns the address of a position.
func (s *space) address(pos int64) (int64, bool) {
	zero := s.size
	for _, g := range s.segments {
		if at := pos - g.off; pos < s.size && at >= 0 && at < g.inFile {
			return g.addr + at, true
		}
		if at := pos - zero; at >= 0 && at < g.inMemory-g.inFile {
			return g.addr + g.inFile + at, true
		}
		zero += g.inMemory - g.inFile
	}
	for _, g := range s.segments {
		if pos == g.off+g.inFile {
			return g.addr + g.inFile, true
		}
	}
	return 0, false
}

// valid reports whether the segments are within the bounds, in order and apart, in memory and within the file.
func (s *space) valid() bool {
	if len(s.segments) > maxSegments {
		return false
	}
	end := int64(0)
	for _, g := range s.segments {
		if g.addr < end || g.addr > maxAddress || g.inFile < 0 || g.inMemory < g.inFile || g.inMemory > maxAddress ||
			g.off < 0 || g.off > s.size || g.inFile > s.size-g.off {
			return false
		}
		end = g.addr + g.inMemory
	}
	return true
}

// newSpace returns the space of these segments, or an empty one if they are not valid.
func newSpace(size int64, segments []segment) space {
	slices.SortStableFunc(segments, func(a, b segment) int { return int(min(max(a.addr-b.addr, -1), 1)) })
	s := space{size: size, segments: segments}
	if !s.valid() {
		return space{size: size}
	}
	return s
}
