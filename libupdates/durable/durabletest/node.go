package durabletest

import (
	"crypto/sha256"
	"maps"
	"path"
	"strings"
	"syscall"
)

// node is a file, directory or link, as written and as last made durable.
type node struct {
	kind    kind
	data    []byte  // file: the bytes
	synced  []byte  // file: the bytes at the last Sync
	entries names   // directory: the names
	past    []names // directory: the names before each change since the last SyncDir, oldest first
	target  string  // link
	writers int     // file: handles open for writing
	sealed  *seal   // file: fs-verity is enabled
	lasting bool    // file: that is durable
}

// A seal is what the kernel verifies a file against.
type seal struct {
	data []byte // the bytes when fs-verity was enabled
	sum  [sha256.Size]byte
}

type names = map[string]*node

type kind uint8

const (
	file kind = iota
	directory
	link
)

// root is the name of the root directory.
const root = "."

// maxLinks bounds how many links are followed in one lookup.
const maxLinks = 8

func newDir() *node {
	return &node{kind: directory, entries: names{}}
}

// change changes the names in a directory in one step.
func (n *node) change(do func(names)) {
	n.past = append(n.past, maps.Clone(n.entries))
	do(n.entries)
}

// after returns the names in a directory after the given number of the changes since the last SyncDir.
func (n *node) after(changes int) names {
	if changes < len(n.past) {
		return n.past[changes]
	}
	return n.entries
}

// A tree is all nodes below a root.
type tree struct{ root *node }

// parent returns the directory of a name, which need not exist in it, and the last part of the name.
func (t tree) parent(name string) (*node, string, error) {
	dir, err := t.walk(path.Dir(name), maxLinks)
	if err != nil {
		return nil, "", err
	}
	if dir.kind != directory {
		return nil, "", syscall.ENOTDIR
	}
	return dir, path.Base(name), nil
}

// entry returns the node with that name. It does not follow a link at the ent.
func (t tree) entry(name string) (*node, error) {
	if name == root {
		return t.root, nil
	}
	dir, base, err := t.parent(name)
	if err != nil {
		return nil, err
	}
	n := dir.entries[base]
	if n == nil {
		return nil, syscall.ENOENT
	}
	return n, nil
}

// walk returns the node that the name leads to, following at most that many links.
func (t tree) walk(name string, links int) (*node, error) {
	n, at := t.root, root
	if name == root {
		return n, nil
	}
	parts := strings.Split(name, "/")
	for i, part := range parts {
		if n.kind != directory {
			return nil, syscall.ENOTDIR
		}
		next := n.entries[part]
		if next == nil {
			return nil, syscall.ENOENT
		}
		if next.kind == link {
			if links == 0 {
				return nil, syscall.ELOOP
			}
			rest := append([]string{at, next.target}, parts[i+1:]...)
			return t.walk(path.Join(rest...), links-1)
		}
		n, at = next, path.Join(at, part)
	}
	return n, nil
}
