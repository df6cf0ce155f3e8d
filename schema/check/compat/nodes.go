package compat

import (
	"slices"
	"strings"

	"nexus/schema/check/surface"
)

func (c *comparison) files() {
	successors := map[uint64]*surface.File{}
	for _, f := range c.new.Files {
		successors[f.ID] = f
	}
	for _, old := range c.old.Files {
		s := subject{old.Symbol(), old.Class}
		new, found := successors[c.successor(old.ID)]
		if !found {
			c.add("file-removed", s, "file %s is gone", old.Name)
			continue
		}
		delete(successors, new.ID)
		c.file(s, old, new)
	}
	for _, f := range c.new.Files {
		if successors[f.ID] != nil {
			c.add("file-added", subject{f.Symbol(), f.Class}, "new file")
		}
	}
	c.nodes()
}

func (c *comparison) file(s subject, old, new *surface.File) {
	if old.ID != new.ID {
		c.add("type-id", s, "the file's id was %#x, is %#x", old.ID, new.ID)
	}
	if old.Name != new.Name {
		c.add("file-renamed", s, "is %s now", new.Name)
	}
	c.class(s, new.Class)
	c.annotations(s, old.Annotations, new.Annotations)
}

func (c *comparison) nodes() {
	successors := map[uint64]*surface.Node{}
	for n := range c.new.All {
		successors[n.ID] = n
	}
	for old := range c.old.All {
		new, found := successors[c.successor(old.ID)]
		if !found {
			c.add("type-removed", of(old), "%s is gone", old.Kind)
			continue
		}
		delete(successors, new.ID)
		c.node(old, new)
	}
	for n := range c.new.All {
		if successors[n.ID] != nil {
			c.add("type-added", of(n), "new %s", n.Kind)
		}
	}
}

func (c *comparison) node(old, new *surface.Node) {
	s := of(old)
	if old.ID != new.ID {
		c.add(idRule(old.Kind), s, "id was %#x, is %#x", old.ID, new.ID)
	}
	if old.Name != new.Name || c.successor(old.File.ID) != new.File.ID {
		c.add("type-renamed", s, "is %s now", new.Symbol())
	}
	if old.Kind != new.Kind {
		c.add("type-kind", s, "was %s, is %s", old.Kind, new.Kind)
		return
	}
	if !c.followsFile(old, new) {
		c.class(s, new.Class)
	}
	c.parameters(s, old.Parameters, new.Parameters)
	c.annotations(s, old.Annotations, new.Annotations)
	switch old.Kind {
	case surface.Struct:
		c.unions(s, old, new)
		c.fields(old.Fields, new.Fields, s.member)
	case surface.Enum:
		c.enumerants(s, old, new)
	case surface.Interface:
		c.superclasses(s, old, new)
		c.methods(s, old, new)
	case surface.Const:
		c.constant(s, old, new)
	case surface.AnnotationDecl:
		if !c.same(old.Type, new.Type) || !slices.Equal(old.Targets, new.Targets) {
			c.add("annotation-retyped", s, "was %s on %s, is %s on %s",
				old.Type, strings.Join(old.Targets, ", "), new.Type, strings.Join(new.Targets, ", "))
		}
	}
}

// idRule returns the rule for a changed id. Only the ids of interfaces are in messages.
func idRule(kind surface.Kind) string {
	if kind == surface.Interface {
		return "interface-id"
	}
	return "type-id"
}

// followsFile reports whether a declaration inherits its file's class, as before. A change of class is then reported
// for the file only.
func (c *comparison) followsFile(old, new *surface.Node) bool {
	return c.successor(old.File.ID) == new.File.ID && old.Class == old.File.Class && new.Class == new.File.Class
}

func (c *comparison) class(s subject, now surface.Class) {
	switch {
	case s.class == surface.Blessed && now != surface.Blessed:
		c.add("class-lowered", s, "was blessed, is %s", now)
	case s.class != surface.Blessed && now == surface.Blessed:
		c.add("class-raised", s, "was %s, is blessed", s.class)
	}
}

// parameters compares type parameters. They are identified by place; names are only for people.
func (c *comparison) parameters(s subject, old, new []string) {
	switch {
	case len(new) > len(old):
		c.add("type-parameters-added", s, "were (%s), are (%s)", strings.Join(old, ", "), strings.Join(new, ", "))
	case len(new) < len(old), reordered(old, new):
		c.add("type-parameters", s, "were (%s), are (%s)", strings.Join(old, ", "), strings.Join(new, ", "))
	}
}

// reordered reports whether a name has moved and the number of names is the same.
func reordered(old, new []string) bool {
	for i, name := range old {
		if at := slices.Index(new, name); at >= 0 && at != i {
			return true
		}
	}
	return false
}

func (c *comparison) constant(s subject, old, new *surface.Node) {
	switch {
	case !c.same(old.Type, new.Type):
		c.add("const-retyped", s, "was %s, is %s", old.Type, new.Type)
	case number(old.Value) != number(new.Value):
		c.add("const-changed", s, "was %s, is %s", old.Value, new.Value)
	}
}

// annotations compares the uses of annotations on one thing.
func (c *comparison) annotations(s subject, old, new []surface.Annotation) {
	left := slices.Clone(new)
	for _, a := range old {
		at := slices.IndexFunc(left, func(b surface.Annotation) bool { return b.ID == c.successor(a.ID) })
		if at < 0 {
			c.add("annotated", s, "no longer $%s(%s)", a.Name, a.Value)
			continue
		}
		if b := left[at]; b.Value != a.Value {
			c.add("annotated", s, "$%s was %s, is %s", a.Name, a.Value, b.Value)
		}
		left = slices.Delete(left, at, at+1)
	}
	for _, b := range left {
		c.add("annotated", s, "now $%s(%s)", b.Name, b.Value)
	}
}
