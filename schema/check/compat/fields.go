package compat

import (
	"fmt"
	"strings"

	"nexus/schema/check/surface"
)

// fields compares the fields of a struct, or the parameters or results of a method, by number. name returns the subject
// for a field.
func (c *comparison) fields(old, new []surface.Field, name func(string) subject) {
	successors := map[int]surface.Field{}
	for _, f := range new {
		successors[f.Ordinal] = f
	}
	fates, added := pairUp(fieldKeys(old), fieldKeys(new))
	for i, f := range old {
		s := name(f.Name)
		switch now := fates[i]; {
		case now.renumbered:
			c.add("field-renumbered", s, "was @%d, is @%d", f.Ordinal, now.at)
		case now.removed:
			c.add("field-removed", s, "@%d %s is gone", f.Ordinal, f.Type)
		default:
			c.field(s, f, successors[now.at])
		}
	}
	for _, f := range new {
		if added[f.Ordinal] {
			c.add("field-added", name(f.Name), "new, @%d %s", f.Ordinal, f.Type)
		}
	}
}

func fieldKeys(fields []surface.Field) []key {
	var keys []key
	for _, f := range fields {
		keys = append(keys, key{f.Ordinal, f.Name})
	}
	return keys
}

// field compares a field with the one that has its number now.
func (c *comparison) field(s subject, old, new surface.Field) {
	c.arms(s, old, new)
	if last(old.Name) != last(new.Name) {
		c.add("field-renamed", s, "@%d is %s now", old.Ordinal, new.Name)
	} else if old.Name != new.Name && len(old.Tags) == len(new.Tags) {
		c.add("field-renamed", s, "@%d is %s now, the same place", old.Ordinal, new.Name)
	}
	switch {
	case !c.same(old.Type, new.Type):
		was, is := apart(old.Type, new.Type)
		c.add(c.typeRule(old.Type, new.Type), s, "@%d was %s, is %s", old.Ordinal, was, is)
	case old.Place != new.Place:
		c.add("field-moved", s, "@%d was at %s, is at %s", old.Ordinal, old.Place, new.Place)
	}
	if number(old.Default) != number(new.Default) {
		c.add("field-redefaulted", s, "default was %s, is %s", orZero(old.Default), orZero(new.Default))
	}
	c.annotations(s, old.Annotations, new.Annotations)
}

// typeRule returns the rule for a changed type. If only type parameters differ, the bytes are the same.
func (c *comparison) typeRule(old, new surface.Type) string {
	if c.erased(old, new) {
		return "field-generic"
	}
	return "field-retyped"
}

// apart returns two types as text, with their ids or places if they would look the same otherwise.
func apart(old, new surface.Type) (was, is string) {
	if old.String() == new.String() {
		return old.Keyed(), new.Keyed()
	}
	return old.String(), new.String()
}

// arms compares the unions that contain a field.
func (c *comparison) arms(s subject, old, new surface.Field) {
	switch {
	case len(old.Tags) < len(new.Tags):
		c.add("field-into-union", s, "@%d is an arm of %s now", old.Ordinal, union(new.Tags[len(new.Tags)-1].Union))
	case len(old.Tags) > len(new.Tags):
		c.add("field-out-of-union", s, "@%d was an arm of %s", old.Ordinal, union(old.Tags[len(old.Tags)-1].Union))
	default:
		for i, tag := range old.Tags {
			if now := new.Tags[i]; now.Value != tag.Value {
				c.add("field-retagged", s, "in %s its value was %d, is %d", union(tag.Union), tag.Value, now.Value)
			}
		}
	}
}

// unions compares the places of the discriminants. A union is identified by its name, even if that is empty.
func (c *comparison) unions(s subject, old, new *surface.Node) {
	for _, g := range old.Groups {
		for _, now := range new.Groups {
			if g.Union && now.Union && g.Name == now.Name && g.TagOffset != now.TagOffset {
				c.add("union-moved", s, "the tag of %s was at data %d, is at data %d", union(g.Name), g.TagOffset,
					now.TagOffset)
			}
		}
	}
}

func union(name string) string {
	if name == "" {
		return "the unnamed union"
	}
	return "union " + name
}

func last(dotted string) string { return dotted[strings.LastIndexByte(dotted, '.')+1:] }

// number returns the part of a value that counts: for an enumerant, written as `name@3`, its number.
func number(value string) string {
	if name, n, is := strings.Cut(value, "@"); is && !strings.ContainsAny(name, "\"") {
		return "@" + n
	}
	return value
}

func orZero(value string) string {
	if value == "" {
		return "zero"
	}
	return fmt.Sprint(value)
}
