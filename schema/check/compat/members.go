package compat

import (
	"slices"
	"strings"

	"nexus/schema/check/surface"
)

func (c *comparison) enumerants(s subject, old, new *surface.Node) {
	fates, added := pairUp(enumerantKeys(old.Enumerants), enumerantKeys(new.Enumerants))
	for i, e := range old.Enumerants {
		m := s.member(e.Name)
		switch fate := fates[i]; {
		case fate.renumbered:
			c.add("enumerant-renumbered", m, "was @%d, is @%d", e.Ordinal, fate.at)
		case fate.removed:
			c.add("enumerant-removed", m, "@%d is gone", e.Ordinal)
		default:
			now := new.Enumerants[fate.at]
			if now.Name != e.Name {
				c.add("enumerant-renamed", m, "@%d is %s now", e.Ordinal, now.Name)
			}
			c.annotations(m, e.Annotations, now.Annotations)
		}
	}
	for _, e := range new.Enumerants {
		if added[e.Ordinal] {
			c.add("enumerant-added", s.member(e.Name), "new, @%d", e.Ordinal)
		}
	}
}

func enumerantKeys(all []surface.Enumerant) []key {
	var keys []key
	for _, e := range all {
		keys = append(keys, key{e.Ordinal, e.Name})
	}
	return keys
}

func (c *comparison) superclasses(s subject, old, new *surface.Node) {
	for _, super := range old.Extends {
		if !slices.ContainsFunc(new.Extends, func(now surface.Type) bool { return c.same(super, now) }) {
			c.add("superclass-removed", s, "no longer extends %s", super)
		}
	}
	for _, now := range new.Extends {
		if !slices.ContainsFunc(old.Extends, func(super surface.Type) bool { return c.same(super, now) }) {
			c.add("superclass-added", s, "now extends %s", now)
		}
	}
}

func (c *comparison) methods(s subject, old, new *surface.Node) {
	fates, added := pairUp(methodKeys(old.Methods), methodKeys(new.Methods))
	for i, m := range old.Methods {
		switch fate := fates[i]; {
		case fate.renumbered:
			c.add("method-renumbered", s.member(m.Name), "was @%d, is @%d", m.Ordinal, fate.at)
		case fate.removed:
			c.add("method-removed", s.member(m.Name), "@%d is gone", m.Ordinal)
		default:
			c.method(s.member(m.Name), m, new.Methods[fate.at])
		}
	}
	for _, m := range new.Methods {
		if added[m.Ordinal] {
			c.add("method-added", s.member(m.Name), "new, @%d", m.Ordinal)
		}
	}
}

func methodKeys(all []surface.Method) []key {
	var keys []key
	for _, m := range all {
		keys = append(keys, key{m.Ordinal, m.Name})
	}
	return keys
}

// The sides of a method.
const (
	params  = "parameters"
	results = "results"
)

func (c *comparison) method(s subject, old, new surface.Method) {
	if old.Name != new.Name {
		c.add("method-renamed", s, "@%d is %s now", old.Ordinal, new.Name)
	}
	if len(old.Generics) != len(new.Generics) {
		c.add("method-retyped", s, "type parameters were [%s], are [%s]", strings.Join(old.Generics, ", "),
			strings.Join(new.Generics, ", "))
	}
	c.annotations(s, old.Annotations, new.Annotations)
	c.side(s, params, old.Params, new.Params)
	c.side(s, results, old.Results, new.Results)
}

func (c *comparison) side(s subject, side string, old, new surface.Signature) {
	switch {
	case streams(old) && empty(new), empty(old) && streams(new):
		c.add("method-streams", s, "%s were %s, are %s", side, describe(old), describe(new))
	case old.Named != new.Named, old.Named && !c.same(old.Type, new.Type):
		c.add("method-retyped", s, "%s were %s, are %s", side, describe(old), describe(new))
	case !old.Named:
		c.fields(old.Fields, new.Fields, func(name string) subject { return s.part(side, name) })
	}
}

func streams(s surface.Signature) bool { return s.Named && s.Type.ID == surface.StreamResult }

func empty(s surface.Signature) bool { return !s.Named && len(s.Fields) == 0 }

func describe(s surface.Signature) string {
	if empty(s) {
		return "none"
	}
	if !s.Named {
		return "a list of their own"
	}
	if streams(s) {
		return "stream"
	}
	return s.Type.String()
}
