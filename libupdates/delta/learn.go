package delta

import (
	"cmp"
	"math"
	"slices"
)

// A vote says that a reference to a position of the old file is one to a position of the new file. There are as many as
// a program has references, so they are small: what is beyond 4 GiB is not learned.
type vote struct{ old, new uint32 }

// learn returns pieces that correct the atlas where references in the pieces say otherwise: what they refer to is not
// in any piece, such as memory that the file does not hold, or it is in one that only looks alike.
func (m *maker) learn(is *model) ([]piece, error) {
	votes, err := m.votes(is)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(votes, func(a, b vote) int { return cmp.Or(cmp.Compare(a.old, b.old), cmp.Compare(a.new, b.new)) })
	var found []piece
	support := 0
	drop := func() {
		if len(found) > 0 && support < minSupport {
			found = found[:len(found)-1]
		}
		support = 0
	}
	open := false // whether the last piece may grow
	for len(votes) > 0 {
		same := 1
		for same < len(votes) && votes[same].old == votes[0].old {
			same++
		}
		winner, count := majority(votes[:same])
		votes = votes[same:]
		at, to := int64(winner.old), int64(winner.new)
		if m.atlas.project(at) == to || len(found) == maxLearned {
			open = false
			continue
		}
		if last := len(found) - 1; open && found[last].new-found[last].old == to-at {
			found[last].n = at + 1 - found[last].old
			support += count
			continue
		}
		drop()
		found, support, open = append(found, piece{at, to, 1}), count, true
	}
	drop()
	return found, nil
}

// Bounds of what is learned: how many references must support a piece, and how many pieces there are.
const (
	minSupport = 3
	maxLearned = 8 << 10
)

// majority returns the new position that most votes for one old position name, and how many they are. They are sorted.
func majority(votes []vote) (winner vote, count int) {
	for len(votes) > 0 {
		n := 1
		for n < len(votes) && votes[n] == votes[0] {
			n++
		}
		if n > count {
			winner, count = votes[0], n
		}
		votes = votes[n:]
	}
	return winner, count
}

// votes returns what the references in the pieces refer to in both files.
func (m *maker) votes(is *model) ([]vote, error) {
	var votes []vote
	for _, p := range m.control.pieces {
		fresh := cursor{model: is}
		for chunk := p.old / chunkSize; chunk*chunkSize < p.old+p.n; chunk++ {
			found, err := m.old.references(chunk)
			if err != nil {
				return nil, err
			}
			at, _ := slices.BinarySearchFunc(found, p.old,
				func(r reference, pos int64) int { return cmp.Compare(r.at, pos) })
			for _, r := range found[at:] {
				if r.at+r.form.size() > p.old+p.n {
					break
				}
				other, ok, err := fresh.at(r.at - p.old + p.new)
				if err != nil {
					return nil, err
				}
				if ok && r.form != bucket && other.form == r.form && other.extra == r.extra &&
					max(r.target, other.target) <= math.MaxUint32 {
					votes = append(votes, vote{uint32(r.target), uint32(other.target)})
				}
			}
		}
	}
	return votes, nil
}

// A cursor finds references in ascending order.
type cursor struct {
	model *model
	chunk int64
	found []reference
}

// at returns the reference in the field that begins at a position.
func (c *cursor) at(pos int64) (reference, bool, error) {
	if chunk := pos / chunkSize; c.found == nil || chunk != c.chunk {
		found, err := c.model.references(chunk)
		if err != nil {
			return reference{}, false, err
		}
		c.chunk, c.found = chunk, found
	}
	at, ok := slices.BinarySearchFunc(c.found, pos, func(r reference, pos int64) int { return cmp.Compare(r.at, pos) })
	if !ok {
		return reference{}, false, nil
	}
	return c.found[at], true, nil
}
