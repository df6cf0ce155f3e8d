package samgrd

import (
	"maps"
	"slices"
)

// A ticket identifies one registration. Each registration of a name gets a new ticket, so that one that was replaced
// cannot remove its successor. No registration has ticket 0.
type ticket uint64

// A table maps each name to its service. It is a plain value without locks.
type table[S any] struct {
	last    ticket
	entries map[string]entry[S]
}

type entry[S any] struct {
	ticket  ticket
	service S
}

func newTable[S any]() table[S] { return table[S]{entries: map[string]entry[S]{}} }

// put registers the service under the name and returns the one it replaced, if any.
func (t *table[S]) put(name string, service S) (issued ticket, old S, replaced bool) {
	before, replaced := t.entries[name]
	t.last++
	t.entries[name] = entry[S]{t.last, service}
	return t.last, before.service, replaced
}

// get returns the service with this name, and its ticket.
func (t *table[S]) get(name string) (service S, issued ticket, found bool) {
	e, found := t.entries[name]
	return e.service, e.ticket, found
}

// remove removes a name if the ticket is that of its current registration, and returns the service.
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
