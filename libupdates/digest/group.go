package digest

import "crypto/sha256"

// A group digests the streams of its members at once. Each round it waits until all of them have bytes, then takes as
// many blocks as all of them have.
type group struct {
	members   int // seats that are not left
	worth     int // how many lanes must be in use
	join      chan *lane
	left      chan struct{}
	active    []*lane
	state     [8][laneWidth]uint32
	messages  [laneWidth]*byte
	constants *[64]uint32
}

func newGroup(worth int) *group {
	return &group{worth: worth, join: make(chan *lane), left: make(chan struct{}), constants: roundConstants()}
}

// A lane is one stream of a group.
type lane struct {
	pieces <-chan *piece
	piece  *piece // the one that is being digested
	rest   []byte // what of it is not digested yet
	words  [8]uint32
	done   uint64 // bytes, a multiple of a block
	sums   chan<- Sum
}

func (g *group) run() {
	for g.gather(); g.members > 0; g.gather() {
		if g.members < g.worth {
			g.dissolve()
			continue
		}
		if blocks := g.feed(); blocks > 0 {
			g.digest(blocks)
		}
	}
}

// gather waits until each member has a stream in a lane, or has left.
func (g *group) gather() {
	for len(g.active) < g.members {
		select {
		case l := <-g.join:
			if g.members < g.worth {
				go l.finish()
				continue
			}
			g.active = append(g.active, l)
		case <-g.left:
			g.members--
		}
	}
}

// dissolve lets the streams go on one by one: there are too few.
func (g *group) dissolve() {
	for _, l := range g.active {
		go l.finish()
	}
	g.active = nil
}

// feed sees to it that each lane has a block. It returns how many blocks all of them have; lanes that have come to
// their end are gone.
func (g *group) feed() (blocks int) {
	going := g.active[:0]
	for _, l := range g.active {
		if !l.next() {
			go l.finish()
			continue
		}
		going = append(going, l)
		if has := len(l.rest) / sha256.BlockSize; blocks == 0 || has < blocks {
			blocks = has
		}
	}
	clear(g.active[len(going):])
	g.active = going
	return blocks
}

// next makes sure that there is a block. It says no at the end of the stream, and before a piece that ends in the
// middle of a block, which as a rule is the last one.
func (l *lane) next() bool {
	for len(l.rest) == 0 {
		if l.piece != nil {
			l.piece.release()
			l.piece = nil
		}
		p, more := <-l.pieces
		if !more {
			return false
		}
		l.piece, l.rest = p, p.bytes
	}
	return len(l.rest) >= sha256.BlockSize
}

// finish digests what is left of the stream with the standard library, and gives the sum.
func (l *lane) finish() {
	h := resume(l.words, l.done)
	h.Write(l.rest)
	if l.piece != nil {
		l.piece.release()
	}
	for p := range l.pieces {
		h.Write(p.bytes)
		p.release()
	}
	l.sums <- Sum(h.Sum(nil))
}

// digest takes so many blocks of each lane. Lanes that are not in use repeat the first one's.
func (g *group) digest(blocks int) {
	for i := range laneWidth {
		l := g.active[0]
		if i < len(g.active) {
			l = g.active[i]
		}
		g.messages[i] = &l.rest[0]
		for w := range l.words {
			g.state[w][i] = l.words[w]
		}
	}
	blocks16(&g.state, &g.messages, g.constants, blocks)
	n := blocks * sha256.BlockSize
	for i, l := range g.active {
		for w := range l.words {
			l.words[w] = g.state[w][i]
		}
		l.rest, l.done = l.rest[n:], l.done+uint64(n)
	}
}
