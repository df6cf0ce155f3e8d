package delta

import (
	"cmp"
	"io"
	"slices"
)

// A predictor says what bytes of the old file probably are in the new one, where references have changed with what
// they refer to. Maker and applier share it, so that only what it gets wrong has to be in a patch.
type predictor struct {
	old    *model
	to     space   // of the new file
	bases  []int64 // of the new file
	atlas  atlas
	finder *finder // made when it is needed
	buffer []byte
}

// predict fills b with the prediction for bytes of the new file that come from a piece, from an offset in it on.
func (p *predictor) predict(b []byte, from piece, off int64) error {
	low := max(0, off-longestField+1)
	high := min(from.n, off+int64(len(b))+longestField-1)
	wide := slices.Grow(p.buffer[:0], int(high-low))[:high-low]
	p.buffer = wide
	if n, err := p.old.file.ReadAt(wide, from.old+low); n < len(wide) {
		return cmp.Or(err, io.ErrUnexpectedEOF)
	}
	first, last := from.old+low, from.old+high
	for chunk := max(0, first-longestField) / chunkSize; chunk*chunkSize < last; chunk++ {
		found, err := p.old.references(chunk)
		if err != nil {
			return err
		}
		at, _ := slices.BinarySearchFunc(found, first,
			func(r reference, pos int64) int { return cmp.Compare(r.at, pos) })
		for _, r := range found[at:] {
			if r.at+r.form.size() > last {
				break
			}
			field := wide[r.at-first:]
			r.at += from.new - from.old
			if r.form == bucket {
				p.functions().put(field, r.at-p.bases[baseBuckets])
				continue
			}
			r.target = p.atlas.project(r.target)
			r.put(field, &p.to, p.bases)
		}
	}
	copy(b, wide[off-low:])
	return nil
}
