package nxs

import "bytes"

// A Part is a stretch of an archive: bytes that follow from the names and sizes of its entries, or the content of one.
type Part struct {
	Bytes []byte // nil for the content of an entry
	Entry int    // whose content it is
	Size  int64
}

// Parts returns the parts of the archive that Write makes of entries with these names and sizes, in order, and the
// size of the archive. It refuses what does not fit into a header, as Write does.
func Parts(names []string, sizes []int64) (parts []Part, size int64, err error) {
	var between bytes.Buffer // padding of the entry before, then a header
	flush := func() {
		parts = append(parts, Part{Bytes: bytes.Clone(between.Bytes()), Size: int64(between.Len())})
		size += int64(between.Len())
		between.Reset()
	}
	for i, name := range names {
		if err := writeHeader(&between, name, sizes[i]); err != nil {
			return nil, 0, err
		}
		flush()
		parts = append(parts, Part{Entry: i, Size: sizes[i]})
		size += sizes[i]
		if err := writePadding(&between, sizes[i]); err != nil {
			return nil, 0, err
		}
	}
	if err := writeEnd(&between); err != nil {
		return nil, 0, err
	}
	flush()
	return parts, size, nil
}
