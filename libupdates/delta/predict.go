package delta

import (
	"cmp"
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

// predict returns the prediction for n bytes of the new file that come from a piece, from an offset in it on. They may
// be changed, and are there until the next prediction.
func (p *predictor) predict(from piece, off, n int64) ([]byte, error) {
	low := max(0, off-longestField+1)
	high := min(from.n, off+n+longestField-1)
	first, last := from.old+low, from.old+high
	raw, err := p.old.read(first, last)
	if err != nil {
		return nil, err
	}
	p.buffer = append(p.buffer[:0], raw...)
	for chunk := max(0, first-longestField) / chunkSize; chunk*chunkSize < last; chunk++ {
		found, err := p.old.references(chunk)
		if err != nil {
			return nil, err
		}
		at, _ := slices.BinarySearchFunc(found, first,
			func(r reference, pos int64) int { return cmp.Compare(r.at, pos) })
		for _, r := range found[at:] {
			if r.at+r.form.size() > last {
				break
			}
			field := p.buffer[r.at-first:]
			r.at += from.new - from.old
			if r.form == bucket {
				p.functions().put(field, r.at-p.bases[baseBuckets])
				continue
			}
			r.target = p.atlas.project(r.target)
			r.put(field, &p.to, p.bases)
		}
	}
	return p.buffer[off-low:][:n], nil
}
