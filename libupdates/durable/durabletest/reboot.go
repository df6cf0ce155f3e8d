package durabletest

import (
	"fmt"
	"hash/fnv"
	"path"
)

// An Outcome is what a disk shows after a power cut. Only what was synced is certain. Anything written since may be
// there completely, partly or not at all. The names in one directory change in the order in which the changes were
// made; nothing else is ordered.
type Outcome struct {
	Name  string
	names func(dir string, changes int) int // how many of the changes since the last SyncDir survive
	bytes func(name string) fate            // what happens to bytes that were not synced
}

type fate uint8

const (
	lost    fate = iota // as at the last Sync; empty if there was none
	torn                // only the first half of the change is there
	swapped             // only the second half of the change is there
	zeroed              // the file has its new length, with zeros where it grew
	kept                // everything is there
)

// Outcomes returns the outcomes that a test should try: the two extremes, names ahead of bytes and the other way round,
// directories ahead of each other, and some mixtures.
func Outcomes() []Outcome {
	list := []Outcome{
		{"only what was synced", noChange, all(lost)},
		issued(),
		{"names ahead, bytes lost", everyChange, all(lost)},
		{"names ahead, bytes torn", everyChange, all(torn)},
		{"bytes ahead of names", noChange, all(kept)},
		{"root ahead", atRoot(everyChange, noChange), all(lost)},
		{"root behind", atRoot(noChange, everyChange), all(torn)},
		{"root one change behind", atRoot(butLast, everyChange), all(kept)},
	}
	for seed := range 4 {
		list = append(list, mixture(seed))
	}
	return list
}

func issued() Outcome { return Outcome{"all that was issued", everyChange, all(kept)} }

func noChange(string, int) int { return 0 }

func everyChange(_ string, changes int) int { return changes }

func butLast(_ string, changes int) int { return max(changes-1, 0) }

// atRoot uses one function for the root directory and the other for all other directories.
func atRoot(one, other func(string, int) int) func(string, int) int {
	return func(dir string, changes int) int {
		if dir == root {
			return one(dir, changes)
		}
		return other(dir, changes)
	}
}

func all(f fate) func(string) fate { return func(string) fate { return f } }

// mixture decides separately for each name, and always the same way for the same seed.
func mixture(seed int) Outcome {
	draw := func(name string) int {
		h := fnv.New32a()
		fmt.Fprintf(h, "%d %s", seed, name)
		return int(h.Sum32() >> 8)
	}
	return Outcome{
		Name:  fmt.Sprintf("mixture %d", seed),
		names: func(dir string, changes int) int { return draw(dir) % (changes + 1) },
		bytes: func(name string) fate { return fate(draw(name) % int(kept+1)) },
	}
}

// Reboot cuts the power, if it is still on, and returns the disk as the next start finds it. The old disk stays without
// power.
func (d *Disk) Reboot(o Outcome) *Disk {
	d.CutAfter(0)
	return newDisk(d.root.survive(root, survival{
		names: func(name string, n *node) names { return n.after(o.names(name, len(n.past))) },
		bytes: func(name string, n *node) []byte { return n.remains(o.bytes(name)) },
		seals: func(name string, n *node) bool { return o.bytes(name) == kept },
		nodes: map[*node]*node{},
	}), d.verity)
}

// A survival records what survives of each node.
type survival struct {
	names func(name string, dir *node) names
	bytes func(name string, file *node) []byte
	seals func(name string, file *node) bool // whether fs-verity that is not durable yet survives
	nodes map[*node]*node                    // by original node, so that a node with two names stays one node
}

func (n *node) survive(name string, s survival) *node {
	if left := s.nodes[n]; left != nil {
		return left
	}
	left := &node{kind: n.kind, target: n.target}
	s.nodes[n] = left
	switch n.kind {
	case file:
		left.data = s.bytes(name, n)
		left.synced = left.data
		if n.sealed != nil && (n.lasting || s.seals(name, n)) {
			left.sealed, left.lasting = n.sealed, true
		}
	case directory:
		left.entries = names{}
		for base, child := range s.names(name, n) {
			left.entries[base] = child.survive(path.Join(name, base), s)
		}
	}
	return left
}

// remains returns the bytes that survive of a file.
func (n *node) remains(f fate) []byte {
	from, to := n.changed()
	half := (from + to) / 2
	switch f {
	case kept:
		return n.data
	case torn:
		return append(append([]byte{}, n.data[:min(half, len(n.data))]...), tail(n.synced, half)...)
	case swapped:
		return append(padded(n.synced, half), tail(n.data, half)...)
	case zeroed:
		return padded(n.synced, max(len(n.data), len(n.synced)))
	default:
		return n.synced
	}
}

// changed returns the range in which the bytes differ from the synced ones.
func (n *node) changed() (from, to int) {
	short := min(len(n.data), len(n.synced))
	for from < short && n.data[from] == n.synced[from] {
		from++
	}
	to = max(len(n.data), len(n.synced))
	if len(n.data) == len(n.synced) {
		for to > from && n.data[to-1] == n.synced[to-1] {
			to--
		}
	}
	return from, to
}

// padded returns the first size bytes, padded with zeros.
func padded(data []byte, size int) []byte {
	return append(append([]byte{}, data[:min(len(data), size)]...), make([]byte, max(size-len(data), 0))...)
}
