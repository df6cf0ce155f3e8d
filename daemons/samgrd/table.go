package samgrd

import (
	"maps"
	"slices"
)

// A ticket names one registration: a later one under the same name has another ticket, so a registration that was
// replaced cannot remove its successor. No registration has ticket 0.
type ticket uint64

// A table says what stands behind each name. It is a plain value: it locks nothing and calls nobody.
type table[S any] struct {
	last    ticket
	entries map[string]entry[S]
}

type entry[S any] struct {
	ticket  ticket
	service S
}

func newTable[S any]() table[S] { return table[S]{entries: map[string]entry[S]{}} }

// put sets the service under a name and returns the one it replaced, if there was one.
func (t *table[S]) put(name string, service S) (issued ticket, old S, replaced bool) {
	before, replaced := t.entries[name]
	t.last++
	t.entries[name] = entry[S]{t.last, service}
	return t.last, before.service, replaced
}

// get returns what stands behind a name, and the ticket it came with.
func (t *table[S]) get(name string) (service S, issued ticket, found bool) {
	e, found := t.entries[name]
	return e.service, e.ticket, found
}

// remove takes a name away if its registration still is the one of the ticket, and returns the service that stood
// there.
func (t *table[S]) remove(name string, issued ticket) (service S, removed bool) {
	e, found := t.entries[name]
	if !found || e.ticket != issued {
		return service, false
	}
	delete(t.entries, name)
	return e.service, true
}

// names returns the registered names that are allowed, in byte order.
func (t *table[S]) names(allowed func(string) bool) []string {
	return slices.Sorted(func(yield func(string) bool) {
		for name := range maps.Keys(t.entries) {
			if allowed(name) && !yield(name) {
				return
			}
		}
	})
}
