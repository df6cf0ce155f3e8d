package lint

import (
	"regexp"

	"nexus/schema/check/surface"
)

func docRules() []Rule {
	return []Rule{
		{"doc-file", "every file has a comment after its id", "it states the file's topic and class", docFile},
		{"doc-type", "every struct, enum and interface has a comment",
			"the comment is the contract; code implements only one side of it", docType},
		{"doc-constant", "every constant and annotation declaration has a comment",
			"a number without its meaning cannot be relied on", docConstant},
		{"doc-member", "every field, group, enumerant and method has a comment",
			"what is not documented, each side invents for itself", docMember},
		{"doc-parameter",
			"a method's comment names each parameter and result whose type does not explain it (a number, Bool, Text, Data)", "parameters cannot have their own comments", docParameter},
		{"doc-unfinished", "no comment says that something is unfinished (TODO, FIXME, XXX)",
			"others use the schema before it is finished", docUnfinished},
	}
}

func docFile(c *checker) {
	for _, f := range c.surface.Files {
		if f.Doc == "" {
			c.add(f.Symbol(), f.Class, "the file has no comment")
		}
	}
}

func docType(c *checker) {
	for n := range c.surface.All {
		switch n.Kind {
		case surface.Struct, surface.Enum, surface.Interface:
			if n.Doc == "" {
				c.add(n.Symbol(), n.Class, "the %s has no comment", n.Kind)
			}
		}
	}
}

func docConstant(c *checker) {
	for n := range c.surface.All {
		if (n.Kind == surface.Const || n.Kind == surface.AnnotationDecl) && n.Doc == "" {
			c.add(n.Symbol(), n.Class, "the %s has no comment", n.Kind)
		}
	}
}

func docMember(c *checker) {
	for n := range c.surface.All {
		missing := func(kind, name, doc string) {
			if doc == "" && name != "" {
				c.add(n.Symbol()+"."+name, n.Class, "the %s has no comment", kind)
			}
		}
		for _, g := range n.Groups {
			missing("group", g.Name, g.Doc)
		}
		for _, f := range n.Fields {
			missing("field", f.Name, f.Doc)
		}
		for _, e := range n.Enumerants {
			missing("enumerant", e.Name, e.Doc)
		}
		for _, m := range n.Methods {
			missing("method", m.Name, m.Doc)
		}
	}
}

// docParameter skips methods without a comment; doc-member reports those.
func docParameter(c *checker) {
	for v := range c.values {
		if v.method == nil || v.method.Doc == "" || explains(v.Type) {
			continue
		}
		if !mentions(v.method.Doc, v.Name) {
			c.add(v.symbol, v.node.Class, "the method's comment does not name it")
		}
	}
}

// explains reports whether a type documents its values, as declared types do by their comments.
func explains(t surface.Type) bool {
	declared := false
	t.Refers(func(surface.Type) { declared = true })
	return declared || t.Leaf().Kind == "parameter"
}

// mentions reports whether a comment has the name as a word, in the singular or plural.
func mentions(doc, name string) bool {
	return regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(name) + `(s|es)?\b`).MatchString(doc)
}

// unfinished matches marks of unfinished work.
var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)

func docUnfinished(c *checker) {
	look := func(symbol string, class surface.Class, doc string) {
		if mark := unfinished.FindString(doc); mark != "" {
			c.add(symbol, class, "the comment says %s", mark)
		}
	}
	for _, f := range c.surface.Files {
		look(f.Symbol(), f.Class, f.Doc)
	}
	for n := range c.surface.All {
		look(n.Symbol(), n.Class, n.Doc)
		for _, f := range n.Fields {
			look(n.Symbol()+"."+f.Name, n.Class, f.Doc)
		}
		for _, e := range n.Enumerants {
			look(n.Symbol()+"."+e.Name, n.Class, e.Doc)
		}
		for _, m := range n.Methods {
			look(n.Symbol()+"."+m.Name, n.Class, m.Doc)
		}
	}
}
