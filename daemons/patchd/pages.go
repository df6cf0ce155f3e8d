package patchd

import "io"

// The old payload is read in pages, of which the last used are kept: it is read front to back at two places, and in
// short leaps.
const (
	pageBytes = 128 << 10
	maxPages  = 8
)

// pages reads from the old payload.
type pages struct {
	from io.ReaderAt
	size int64
	kept []page // the last used first
}

type page struct {
	off   int64
	bytes []byte
}

func newPages(from io.ReaderAt, size int64) *pages { return &pages{from: from, size: size} }

// ReadAt reads bytes, as an io.ReaderAt that is used by one goroutine.
func (p *pages) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		at := off + int64(n)
		if at >= p.size {
			return n, io.EOF
		}
		page, err := p.page(at / pageBytes * pageBytes)
		if err != nil {
			return n, err
		}
		n += copy(b[n:], page[at%pageBytes:])
	}
	return n, nil
}

// page returns the page at an offset.
func (p *pages) page(off int64) ([]byte, error) {
	i := 0
	for i < len(p.kept) && p.kept[i].off != off {
		i++
	}
	switch {
	case i < len(p.kept):
	case i < maxPages:
		p.kept = append(p.kept, page{off: -1, bytes: make([]byte, 0, pageBytes)})
	default:
		i--
		p.kept[i].off = -1
	}
	found := p.kept[i]
	if found.off != off {
		found.bytes = found.bytes[:min(pageBytes, p.size-off)]
		if _, err := p.from.ReadAt(found.bytes, off); err != nil {
			return nil, err
		}
		found.off = off
	}
	copy(p.kept[1:i+1], p.kept[:i])
	p.kept[0] = found
	return found.bytes, nil
}
