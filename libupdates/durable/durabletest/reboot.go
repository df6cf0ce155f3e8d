package durabletest

import (
	"fmt"
	"hash/fnv"
	"path"
)

// Outcome is what a disk may show after a cut. Only what was synced is sure; anything issued since may be there, in part or not at all.
type Outcome struct {
	Name  string
	names func(dir string) bool  // whether the names in that directory are those issued, not those synced
	bytes func(name string) fate // what became of bytes that were not synced
}

type fate uint8

const (
	lost fate = iota // as at the last Sync; empty without one
	torn             // the first half is there
	kept             // all there
)

// Outcomes returns the ways to reboot that a test should go through: the two extremes, names ahead of bytes and the other way
// round, directories ahead of each other, and some mixtures.
func Outcomes() []Outcome {
	atRoot := func(dir string) bool { return dir == root }
	list := []Outcome{
		{"only what was synced", always(false), all(lost)},
		issued(),
		{"names ahead, bytes lost", always(true), all(lost)},
		{"names ahead, bytes torn", always(true), all(torn)},
		{"bytes ahead of names", always(false), all(kept)},
		{"root ahead", atRoot, all(lost)},
		{"root behind", func(dir string) bool { return !atRoot(dir) }, all(torn)},
	}
	for seed := range 4 {
		list = append(list, mixed(seed))
	}
	return list
}

func issued() Outcome { return Outcome{"all that was issued", always(true), all(kept)} }

func always(ahead bool) func(string) bool { return func(string) bool { return ahead } }

func all(f fate) func(string) fate { return func(string) fate { return f } }

// mixed decides for each name on its own, always the same way for the same seed.
func mixed(seed int) Outcome {
	draw := func(name string) uint32 {
		h := fnv.New32a()
		fmt.Fprintf(h, "%d %s", seed, name)
		return h.Sum32() >> 8
	}
	return Outcome{
		Name:  fmt.Sprintf("mixture %d", seed),
		names: func(dir string) bool { return draw(dir)%2 == 0 },
		bytes: func(name string) fate { return fate(draw(name) % 3) },
	}
}

// Reboot cuts the power, if it is still on, and returns the disk as the next start finds it. The old disk stays without power.
func (d *Disk) Reboot(o Outcome) *Disk {
	d.CutAfter(0)
	survivors := map[*node]*node{} // a node with two names stays one node
	return &Disk{root: d.root.survive(root, o, survivors)}
}

func (n *node) survive(name string, o Outcome, survivors map[*node]*node) *node {
	if s := survivors[n]; s != nil {
		return s
	}
	s := &node{kind: n.kind, target: n.target}
	survivors[n] = s
	switch n.kind {
	case file:
		s.data = n.remains(o.bytes(name))
		s.synced = s.data
	case directory:
		names := n.durable
		if o.names(name) {
			names = n.entries
		}
		*s = *newDir()
		for base, child := range names {
			c := child.survive(path.Join(name, base), o, survivors)
			s.entries[base], s.durable[base] = c, c
		}
	}
	return s
}

// remains returns the bytes left of a file.
func (n *node) remains(f fate) []byte {
	switch f {
	case kept:
		return n.data
	case torn:
		half := len(n.data) / 2
		return append(append([]byte{}, n.data[:half]...), tail(n.synced, half)...)
	default:
		return n.synced
	}
}
