package surface

import (
	"regexp"
	"strings"
)

// A Class says how a declaration may change.
type Class string

// The two classes. The default is lockstep.
const (
	// Blessed: others hold bytes of it or programs built with it, so it may only grow.
	Blessed Class = "blessed"
	// Lockstep: both ends are replaced together, so it may change freely.
	Lockstep Class = "lockstep"
)

// classLine matches the class in a comment: a line, or a sentence in a line, such as `Class: blessed`. The text after
// the word is for people.
var classLine = regexp.MustCompile(`(?m)(?:^|[.:;]\s+)\s*Class: (blessed|lockstep)\b`)

// statedClass returns the class in a comment, which applies to its declaration and everything within.
func statedClass(doc string) (Class, bool) {
	found := classLine.FindStringSubmatch(doc)
	if found == nil {
		return "", false
	}
	return Class(found[1]), true
}

// classify sets the class of each declaration: that of its own comment, or else that of the enclosing scope.
func (s *Surface) classify(fallback Class) {
	for _, f := range s.Files {
		f.Class = fallback
		if class, ok := statedClass(f.Doc); ok {
			f.Class, f.Stated = class, true
		}
		stated := map[string]Class{}
		for _, n := range f.Nodes {
			if class, ok := statedClass(n.Doc); ok {
				stated[n.Name] = class
			}
		}
		for _, n := range f.Nodes {
			n.Class = innermost(stated, n.Name, f.Class)
		}
	}
}

func innermost(stated map[string]Class, name string, outside Class) Class {
	for {
		if class, ok := stated[name]; ok {
			return class
		}
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 {
			return outside
		}
		name = name[:dot]
	}
}

func trimSuffix(name string) string { return strings.TrimSuffix(name, ".capnp") }
