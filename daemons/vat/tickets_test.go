package vat_test

import (
	"errors"
	"os"
	"testing"

	"nexus/daemons/vat"
)

func someFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func isClosed(f *os.File) bool {
	_, err := f.Stat()
	return errors.Is(err, os.ErrClosed)
}

// A socket reaches the call that its ticket is for. Any other is closed: nobody must come to hold it by accident.
func TestSocketsReachTheCallTheyAreFor(t *testing.T) {
	s := &vat.Tickets{}
	one, arrivedOne, forgetOne := s.Expect(2)
	defer forgetOne()
	two, arrivedTwo, forgetTwo := s.Expect(2)
	first, second, stray := someFile(t), someFile(t), someFile(t)
	s.Take(two, second)
	s.Take(one, first)
	s.Take("0", stray)
	s.Take("", stray)
	if len(arrivedOne) != 1 || <-arrivedOne != first || len(arrivedTwo) != 1 || isClosed(second) || !isClosed(stray) {
		t.Error("the sockets are not where their tickets say")
	}
	forgetTwo()
	late := someFile(t)
	s.Take(two, late)
	if !isClosed(second) || !isClosed(late) {
		t.Error("a call that was given up leaves its sockets open")
	}
}

// More than a call can have are not kept.
func TestSocketsAreBounded(t *testing.T) {
	const limit = 3
	s := &vat.Tickets{}
	ticket, arrived, forget := s.Expect(limit)
	defer forget()
	for range limit {
		s.Take(ticket, someFile(t))
	}
	extra := someFile(t)
	s.Take(ticket, extra)
	if len(arrived) != limit || !isClosed(extra) {
		t.Errorf("%d sockets are kept, want %d", len(arrived), limit)
	}
}
