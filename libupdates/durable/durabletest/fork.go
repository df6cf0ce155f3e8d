package durabletest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"maps"
	"slices"
)

// Fork returns a second disk with the same past. It has everything that is durable on this one and nothing else; its
// operations are counted from 1 and its power is on.
func (d *Disk) Fork() *Disk {
	return newDisk(d.root.fork(map[*node]*node{}), d.verity)
}

func (n *node) fork(forks map[*node]*node) *node {
	if f := forks[n]; f != nil {
		return f
	}
	f := &node{kind: n.kind, target: n.target, data: n.data, synced: n.synced, sealed: n.sealed, lasting: n.lasting}
	forks[n] = f
	if n.kind != directory {
		return f
	}
	for _, before := range n.past {
		f.past = append(f.past, forkNames(before, forks))
	}
	f.entries = forkNames(n.entries, forks)
	return f
}

func forkNames(at names, forks map[*node]*node) names {
	copied := make(names, len(at))
	for name, n := range at {
		copied[name] = n.fork(forks)
	}
	return copied
}

// Sum returns a digest of the disk's content as written: names, links, bytes, and which files the kernel verifies. It
// does not count as an operation.
func (d *Disk) Sum() [sha256.Size]byte { return d.sum(true) }

// SumBytes is Sum without which files the kernel verifies.
func (d *Disk) SumBytes() [sha256.Size]byte { return d.sum(false) }

func (d *Disk) sum(seals bool) [sha256.Size]byte {
	h := sha256.New()
	d.root.sum(h, root, seals)
	return [sha256.Size]byte(h.Sum(nil))
}

// sumBlock is the size of the blocks of a file that are hashed quickly if they are zero.
const sumBlock = 4096

func (n *node) sum(h hash.Hash, name string, seals bool) {
	word := func(v int) { h.Write(binary.LittleEndian.AppendUint64(nil, uint64(v))) }
	text := func(s string) { word(len(s)); h.Write([]byte(s)) }
	word(int(n.kind))
	text(name)
	switch n.kind {
	case link:
		text(n.target)
	case file:
		word(len(n.data))
		if seals && n.sealed != nil {
			text(veritySuffix)
		}
		zeros := make([]byte, sumBlock)
		for block := range slices.Chunk(n.data, sumBlock) {
			if !bytes.Equal(block, zeros[:len(block)]) {
				h.Write(block)
			} else {
				word(0)
			}
		}
	case directory:
		word(len(n.entries))
		for _, base := range sortedNames(n.entries) {
			n.entries[base].sum(h, base, seals)
		}
	}
}

func sortedNames(at names) []string { return slices.Sorted(maps.Keys(at)) }
