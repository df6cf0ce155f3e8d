package digest

import "crypto/sha256"

// A group hashes the streams of its members together. In each round it waits until all of them have bytes, and then
// hashes as many blocks as every one of them has.
type group struct {
	members   int // seats that have not left
	worth     int // number of busy lanes below which the group is too slow
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
	piece  *piece // the piece that is being hashed
	rest   []byte // the part of it that is not hashed yet
	words  [8]uint32
	done   uint64 // bytes hashed so far, a multiple of a block
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

// gather waits until each member has a stream in a lane or has left.
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

// dissolve continues each stream by itself, because there are too few.
func (g *group) dissolve() {
	for _, l := range g.active {
		go l.finish()
	}
	g.active = nil
}

// feed makes sure that each lane has a block, and removes the lanes whose stream has ended. It returns the number of
// blocks that all lanes have.
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

// next makes sure that the lane has a block. It returns false at the end of the stream, or if a piece ends in the
// middle of a block, as the last one usually does.
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

// finish hashes the rest of the stream with the standard library and sends the sum.
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

// digest hashes that many blocks of each lane. Unused lanes repeat the first one.
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
