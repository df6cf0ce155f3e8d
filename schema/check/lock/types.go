package lock

import (
	"strconv"
	"strings"

	"nexus/schema/check/surface"
)

// maxTypeDepth bounds the nesting of type expressions, far above that of real schemas.
const maxTypeDepth = 64

// typed parses a type in the form of surface.Type.Keyed.
func (l *line) typed(text string) surface.Type {
	r := &typeReader{line: l, text: text}
	t := r.read(0)
	if r.text != "" {
		l.fail("%q is not a type", text)
	}
	return t
}

type typeReader struct {
	*line
	text string
}

func (r *typeReader) read(depth int) surface.Type {
	if depth > maxTypeDepth {
		r.fail("a type nests too deeply")
		r.text = ""
		return surface.Type{}
	}
	end := strings.IndexAny(r.text, "(),")
	if end < 0 {
		end = len(r.text)
	}
	t := r.name(r.text[:end])
	r.text = r.text[end:]
	if !strings.HasPrefix(r.text, "(") {
		return t
	}
	var inner []surface.Type
	for r.text != "" && !strings.HasPrefix(r.text, ")") {
		r.text = r.text[1:]
		inner = append(inner, r.read(depth+1))
	}
	if r.text == "" {
		r.fail("a type has no end")
		return t
	}
	r.text = r.text[1:]
	if t.Name == "List" && t.ID == 0 && len(inner) == 1 {
		return surface.Type{Kind: "List", Elements: &inner[0]}
	}
	t.Bindings = inner
	return t
}

// name reads `Text`, `Slot#0x…`, `T@0#0x…` or `T@0`.
func (r *typeReader) name(text string) surface.Type {
	var t surface.Type
	name, id, declared := strings.Cut(text, "#")
	if declared {
		t.ID, t.Kind = r.uint(id), "declared"
	} else {
		t.Kind = name
	}
	if parameter, place, is := strings.Cut(name, "@"); is {
		index, err := strconv.ParseUint(place, 10, 16)
		if err != nil {
			r.fail("%q is not a type parameter", text)
		}
		name, t.Kind, t.Index = parameter, "parameter", int(index)
	}
	t.Name = name
	return t
}
