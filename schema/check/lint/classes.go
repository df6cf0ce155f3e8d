package lint

import "nexus/schema/check/surface"

func classRules() []Rule {
	return []Rule{
		{"class-stated", "if any file states its class, every file does",
			"a missing class then means that it was forgotten", classStated},
		{"class-reach", "blessed declarations refer only to blessed ones",
			"bytes and calls include everything that a type refers to, so a promise must cover all of it", classReach},
	}
}

func classStated(c *checker) {
	stated := 0
	for _, f := range c.surface.Files {
		if f.Stated {
			stated++
		}
	}
	if stated == 0 {
		return
	}
	for _, f := range c.surface.Files {
		if !f.Stated {
			c.add(f.Symbol(), f.Class,
				"the file's comment states no class: add a line `Class: blessed` or `Class: lockstep`")
		}
	}
}

// classReach names each lockstep type once, with one blessed place that refers to it.
func classReach(c *checker) {
	nodes := c.byID()
	from := map[uint64]string{}
	for n := range c.surface.All {
		if n.Class != surface.Blessed {
			continue
		}
		refers(n, func(t surface.Type, symbol string) {
			if to, here := nodes[t.ID]; here && to.Class == surface.Lockstep && from[t.ID] == "" {
				from[t.ID] = symbol
			}
		})
	}
	for _, id := range sortedKeys(from) {
		c.add(nodes[id].Symbol(), nodes[id].Class, "is lockstep, and %s, which is blessed, refers to it", from[id])
	}
}

// refers calls visit for every type that a declaration refers to, with the symbol of the place.
func refers(n *surface.Node, visit func(t surface.Type, symbol string)) {
	at := func(t surface.Type, symbol string) {
		t.Refers(func(t surface.Type) { visit(t, symbol) })
	}
	for _, f := range n.Fields {
		at(f.Type, n.Symbol()+"."+f.Name)
	}
	for _, super := range n.Extends {
		at(super, n.Symbol())
	}
	for _, m := range n.Methods {
		symbol := n.Symbol() + "." + m.Name
		for _, side := range []surface.Signature{m.Params, m.Results} {
			at(side.Type, symbol)
			for _, f := range side.Fields {
				at(f.Type, symbol)
			}
		}
	}
}
