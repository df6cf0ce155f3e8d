package compat

import "nexus/schema/check/surface"

// newComparison pairs declarations with the same id, and the remaining ones by name. So a declaration that changed its
// id is one finding, and not a removal, an addition and a changed type wherever it is used.
func newComparison(old, new *surface.Surface) *comparison {
	c := &comparison{old: old, new: new, ids: map[uint64]uint64{}, effects: effectsByRule()}
	left, came := declared(old), declared(new)
	for id := range left {
		if _, stays := came[id]; stays {
			delete(left, id)
			delete(came, id)
		}
	}
	c.pair(left, came, func(d declaration) string { return d.kind + " " + d.symbol })
	c.pair(left, came, func(d declaration) string { return d.kind + " " + d.name }) // moved to another file
	return c
}

// A declaration identifies a file or type without its id.
type declaration struct{ kind, symbol, name string }

func declared(s *surface.Surface) map[uint64]declaration {
	all := map[uint64]declaration{}
	for _, f := range s.Files {
		all[f.ID] = declaration{"file", f.Name, f.Name}
	}
	for n := range s.All {
		all[n.ID] = declaration{string(n.Kind), n.Symbol(), n.Name}
	}
	return all
}

// pair pairs declarations that are known by the same value on both sides, if that is unique on each side.
func (c *comparison) pair(left, came map[uint64]declaration, known func(declaration) string) {
	was, is := only(left, known), only(came, known)
	for key, id := range was {
		if successor := is[key]; id != 0 && successor != 0 {
			c.ids[id] = successor
			delete(left, id)
			delete(came, successor)
		}
	}
}

// only returns the ids by that value, or 0 if it is not unique.
func only(all map[uint64]declaration, known func(declaration) string) map[string]uint64 {
	ids := map[string]uint64{}
	for id, d := range all {
		key := known(d)
		if _, taken := ids[key]; taken {
			ids[key] = 0
			continue
		}
		ids[key] = id
	}
	return ids
}

// successor returns the new id of a declaration with that old id.
func (c *comparison) successor(id uint64) uint64 {
	if now, changed := c.ids[id]; changed {
		return now
	}
	return id
}

// same reports whether two types are the same: declared types by id, type parameters by place, never by name.
func (c *comparison) same(old, new surface.Type) bool {
	if (old.Elements == nil) != (new.Elements == nil) || len(old.Bindings) != len(new.Bindings) {
		return false
	}
	if old.Elements != nil {
		return c.same(*old.Elements, *new.Elements)
	}
	for i := range old.Bindings {
		if !c.same(old.Bindings[i], new.Bindings[i]) {
			return false
		}
	}
	if c.successor(old.ID) != new.ID || (old.Kind == "parameter") != (new.Kind == "parameter") {
		return false
	}
	if old.Kind == "parameter" {
		return old.Index == new.Index
	}
	return old.ID != 0 || old.Name == new.Name
}

// erased reports whether two types are the same without their type parameters: an unbound one is AnyPointer.
func (c *comparison) erased(old, new surface.Type) bool {
	switch {
	case old.Elements != nil && new.Elements != nil:
		return c.erased(*old.Elements, *new.Elements)
	case old.Kind == "parameter" && new.Kind == "AnyPointer", old.Kind == "AnyPointer" && new.Kind == "parameter":
		return true
	case old.ID == 0 || old.Kind == "parameter" || c.successor(old.ID) != new.ID:
		return c.same(old, new)
	}
	for i := range min(len(old.Bindings), len(new.Bindings)) {
		if !c.erased(old.Bindings[i], new.Bindings[i]) {
			return false
		}
	}
	return true
}
