package tree

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode"
)

// Bounds of a tree.
const (
	MaxEntries = 65536
	maxDepth   = 128      // folders above an entry
	maxName    = 4096     // bytes of a name, or of where a link leads; the kernel's bound for paths
	maxBase    = 255      // bytes of the last part of a name; the bound of most file systems
	maxNames   = 16 << 20 // bytes of all names
)

// Names checks the names of a tree, entry by entry. The zero value is that of an empty tree.
type Names struct {
	entries map[string]named // by folded name
	bytes   int
}

// A named is the name of an entry as it is.
type named struct {
	name   string
	folder bool
}

// Add adds an entry. It fails for a name that is not inside the tree, does not follow its folder, occurs twice, or
// differs from another only in case, which some file systems cannot tell apart.
func (n *Names) Add(name string, folder bool) error {
	if n.entries == nil {
		n.entries = map[string]named{}
	}
	if err := checkName(name); err != nil {
		return err
	}
	n.bytes += len(name)
	if len(n.entries) == MaxEntries || n.bytes > maxNames {
		return fmt.Errorf("it has more than %d entries, or names of more than %d MiB", MaxEntries, maxNames>>20)
	}
	if parent := path.Dir(name); parent != "." && n.entries[fold(parent)] != (named{parent, true}) {
		return fmt.Errorf("%.200q does not follow its folder", name)
	}
	key := fold(name)
	if other, taken := n.entries[key]; taken && other.name == name {
		return fmt.Errorf("%.200q is there twice", name)
	} else if taken {
		return fmt.Errorf("%.200q and %.200q differ only in case", other.name, name)
	}
	n.entries[key] = named{name, folder}
	return nil
}

func checkName(name string) error {
	inside := fs.ValidPath(name) && name != "." && !strings.ContainsAny(name, "\x00\\")
	if !inside || len(name) > maxName || strings.Count(name, "/") >= maxDepth || len(path.Base(name)) > maxBase {
		return fmt.Errorf("%.200q is not a name inside the tree", name)
	}
	return nil
}

// fold maps all names that differ only in case to one.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, name)
}

// checkLink checks that a link cannot lead out of the tree, whatever the links on its way are: it goes up only at its
// beginning, where it is known how far that is.
func checkLink(name, target string) error {
	switch {
	case target == "" || len(target) > maxName || strings.Contains(target, "\x00"):
		return fmt.Errorf("the link %.200q leads nowhere", name)
	case path.IsAbs(target) || leaves(path.Join(path.Dir(name), target)):
		return fmt.Errorf("the link %.200q leads out of the tree, to %.200q", name, target)
	case path.Clean(target) != target:
		return fmt.Errorf("the link %.200q does not lead straight to %.200q", name, target)
	}
	return nil
}

func leaves(name string) bool { return name == ".." || strings.HasPrefix(name, "../") }
