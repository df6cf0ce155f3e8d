package digest

import (
	"math"
	"time"
)

// laneWidth is the number of messages that blocks16 hashes at once.
const laneWidth = 16

// lanes hashes up to sixteen streams at once on each of several cores.
type lanes struct {
	groups int
	worth  int // the number of streams that take as long together as one after the other
}

func (l lanes) streams() int { return l.groups * laneWidth }

func (l lanes) seats(n int) []seat {
	groups := make([]*group, min(l.groups, n))
	for i := range groups {
		groups[i] = newGroup(l.worth)
	}
	all := make([]seat, n)
	for i := range all {
		g := groups[i%len(groups)]
		g.members++
		all[i] = laneSeat{g, make(chan Sum, 1)}
	}
	for _, g := range groups {
		go g.run() // ends when its last member has left
	}
	return all
}

// faster reports whether lanes beat serial, by enough to make up for the lanes that are idle towards the end.
func (l lanes) faster(streams, cores int) bool {
	atOnce := float64(min(streams, l.streams()))
	return atOnce/float64(l.worth) > 1.3*float64(min(streams, cores))
}

// measureLanes measures how many streams must be hashed together for blocks16 to be faster on this CPU: CPUs with SHA
// instructions hash a single stream six times as fast as those without. It takes less than a millisecond. The result
// affects only the speed.
func measureLanes() int {
	const blocks = 64
	data := make([]byte, blocks*64)
	var messages [laneWidth]*byte
	for i := range messages {
		messages[i] = &data[0]
	}
	var state [8][laneWidth]uint32
	constants, h := roundConstants(), resume(initial(), 0)
	least := func(do func()) time.Duration {
		best := time.Duration(math.MaxInt64)
		for range 10 {
			begin := time.Now()
			do()
			best = min(best, time.Since(begin))
		}
		return max(best, 1)
	}
	together := least(func() { blocks16(&state, &messages, constants, blocks) })
	alone := least(func() { h.Write(data) })
	return max(2, int(math.Ceil(float64(together)/float64(alone))))
}

// A laneSeat is a stream's place in a group.
type laneSeat struct {
	group *group
	sums  chan Sum
}

func (s laneSeat) sum(pieces <-chan *piece) Sum {
	s.group.join <- &lane{pieces: pieces, words: initial(), sums: s.sums}
	return <-s.sums
}

func (s laneSeat) leave() { s.group.left <- struct{}{} }
