package durabletest

import (
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
)

// maxSubsets is the maximum number of changes in one directory for which every subset is shown. With more changes,
// every prefix is shown, each single change, and all but each one.
const maxSubsets = 3

// States cuts the power, if it is still on, and iterates over what the next start may find, each with a unique name.
// Every directory shows any selection of the changes since its SyncDir, in any order, and every file any fate of the
// bytes since its Sync, all independently. If these are more than limit states, States yields limit of them:
// everything, nothing, each deviation from these in one place, and a selection that depends on the seed. Two states may
// have the same content (see Sum).
func (d *Disk) States(limit int, seed uint64) iter.Seq2[string, *Disk] {
	d.CutAfter(0)
	open := d.open()
	return func(yield func(string, *Disk) bool) {
		for _, p := range picks(open, limit, seed) {
			if !yield(p.String(), d.show(open, p)) {
				return
			}
		}
	}
}

// An undecided node may be found in more than one way after a cut.
type undecided struct {
	node *node
	ways int
}

// open returns the undecided nodes. The order is the same for disks with the same history.
func (d *Disk) open() []undecided {
	var list []undecided
	seen := map[*node]bool{}
	var visit func(*node)
	visit = func(n *node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		switch {
		case n.kind == file && !slices.Equal(n.data, n.synced):
			list = append(list, undecided{n, int(kept) + 1})
		case n.kind == file && n.sealed != nil && !n.lasting:
			list = append(list, undecided{n, 2})
		case n.kind == directory && len(n.past) > 0:
			list = append(list, undecided{n, len(n.selections())})
		}
		for _, version := range append(slices.Clone(n.past), n.entries) {
			for _, name := range sortedNames(version) {
				visit(version[name])
			}
		}
	}
	visit(d.root)
	return list
}

// A pick chooses one way for each undecided node. The last way of each node shows everything that was written.
type pick []int

func (p pick) String() string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	if len(p) == 0 {
		return "-"
	}
	var b strings.Builder
	for _, way := range p {
		b.WriteByte(digits[min(way, len(digits)-1)])
	}
	return b.String()
}

func picks(open []undecided, limit int, seed uint64) []pick {
	all := 1
	for _, u := range open {
		if all *= u.ways; all > limit {
			return selection(open, limit, seed)
		}
	}
	list := make([]pick, 0, all)
	for i := range all {
		p := make(pick, len(open))
		for k, u := range open {
			p[k], i = i%u.ways, i/u.ways
		}
		list = append(list, p)
	}
	return list
}

// selection returns some of the picks if there are too many.
func selection(open []undecided, limit int, seed uint64) []pick {
	everything, nothing := make(pick, len(open)), make(pick, len(open))
	for k, u := range open {
		everything[k] = u.ways - 1
	}
	list := []pick{nothing, everything}
	for _, base := range []pick{nothing, everything} {
		for k, u := range open {
			for way := range u.ways {
				if way != base[k] {
					p := slices.Clone(base)
					p[k] = way
					list = append(list, p)
				}
			}
		}
	}
	draw := rand.New(rand.NewPCG(seed, uint64(len(open))))
	for len(list) < limit {
		p := make(pick, len(open))
		for k, u := range open {
			p[k] = draw.IntN(u.ways)
		}
		list = append(list, p)
	}
	return list[:max(limit, 1)]
}

// show returns the disk of one pick.
func (d *Disk) show(open []undecided, p pick) *Disk {
	way := make(map[*node]int, len(open))
	for k, u := range open {
		way[u.node] = p[k]
	}
	return newDisk(d.root.survive(root, survival{
		names: func(_ string, n *node) names {
			if len(n.past) == 0 {
				return n.entries
			}
			return n.selected(n.selections()[way[n]])
		},
		bytes: func(_ string, n *node) []byte {
			if f, undecided := way[n]; undecided && n.sealed == nil {
				return n.remains(fate(f))
			}
			return n.data
		},
		seals: func(_ string, n *node) bool { return way[n] == 1 },
		nodes: map[*node]*node{},
	}), d.verity)
}

// selections returns the sets of changes since the last SyncDir that may be visible, one bit per change.
func (n *node) selections() []uint64 {
	count := min(len(n.past), 63)
	every := uint64(1)<<count - 1
	var list []uint64
	if count <= maxSubsets {
		for s := range every + 1 {
			list = append(list, s)
		}
		return list
	}
	for i := range count {
		list = append(list, uint64(1)<<i-1, uint64(1)<<i, every&^(1<<i))
	}
	return append(slices.Compact(slices.Sorted(slices.Values(list))), every)
}

// selected returns the names in a directory if only these changes are visible.
func (n *node) selected(which uint64) names {
	at := names{}
	for name, child := range n.past[0] {
		at[name] = child
	}
	for i := range n.past {
		if i < 63 && which>>i&1 == 0 {
			continue
		}
		before, after := n.after(i), n.after(i+1)
		for name := range before {
			if after[name] == nil {
				delete(at, name)
			}
		}
		for name, child := range after {
			if before[name] != child {
				at[name] = child
			}
		}
	}
	return at
}
