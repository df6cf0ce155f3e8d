package lock

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"nexus/schema/check/surface"
)

// A line is the unread part of a line of a lock.
type line struct {
	words []string
	err   error // the first error
}

func (l *line) fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf(format, args...)
	}
}

func (l *line) peek() string {
	if len(l.words) == 0 {
		return ""
	}
	return l.words[0]
}

func (l *line) next() string {
	word := l.peek()
	if word == "" {
		l.fail("it ends too early")
		return ""
	}
	l.words = l.words[1:]
	return word
}

// numbers reads the optional numbers after the id, `@3` or `@3 @0`.
func (l *line) numbers() ([]int, error) {
	var key []int
	for strings.HasPrefix(l.peek(), "@") {
		n, err := strconv.ParseUint(l.next()[1:], 10, 16)
		if err != nil {
			return nil, errors.New("a number after the id is malformed")
		}
		key = append(key, int(n))
	}
	return key, nil
}

// rest passes the remaining words to take, each as key, `:` for a type, and value.
func (l *line) rest(take func(key, value string)) {
	for _, word := range l.words {
		if t, is := strings.CutPrefix(word, ":"); is {
			take(":", t)
			continue
		}
		key, value, is := strings.Cut(word, "=")
		if !is {
			l.fail("%q has no value", word)
			return
		}
		take(key, value)
	}
	l.words = nil
}

func (l *line) uint(text string) uint64 {
	n, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		l.fail("%q is not a number", text)
	}
	return n
}

// follows checks that enumerants and methods are numbered without gaps, as the compiler does.
func (l *line) follows(ordinal, before int) {
	if ordinal != before {
		l.fail("@%d does not follow @%d", ordinal, before-1)
	}
}

func (l *line) field(ordinal int, name string) surface.Field {
	f := surface.Field{Ordinal: ordinal, Name: name}
	l.rest(func(key, value string) {
		switch key {
		case ":":
			f.Type = l.typed(value)
		case "data", "pointer":
			f.Place = surface.Place{Section: key, Offset: l.uint(value)}
		case "default":
			f.Default = value
		case "arm":
			f.Tags = append(f.Tags, l.arm(value))
		}
	})
	return f
}

func (l *line) group(kind, name string) surface.Group {
	g := surface.Group{Name: name, Union: kind == "union"}
	l.rest(func(key, value string) {
		switch key {
		case "tag":
			g.TagOffset = l.uint(value)
		case "arm":
			g.Tags = append(g.Tags, l.arm(value))
		}
	})
	return g
}

func (l *line) method(ordinal int, name string) surface.Method {
	m := surface.Method{Ordinal: ordinal, Name: name}
	l.rest(func(key, value string) {
		if key == "parameters" {
			m.Generics = strings.Split(value, ",")
		}
	})
	return m
}

func (l *line) arm(text string) surface.Tag {
	union, value, _ := strings.Cut(text, ":")
	return surface.Tag{Union: union, Value: uint16(l.uint(value))}
}

// split splits a line into words at single spaces. A quoted text within a word may contain spaces.
func split(text string) ([]string, error) {
	var words []string
	start, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case text[i] == ' ' && !quoted:
			words = append(words, text[start:i])
			start = i + 1
		}
	}
	if quoted {
		return nil, errors.New("a quoted text has no end")
	}
	return append(words, text[start:]), nil
}
