package durable_test

import (
	"errors"
	"testing"

	"nexus/libupdates/durable"
)

// shelf stores two halves in memory.
type shelf struct {
	halves  [2][]byte
	damaged [2]bool
	broken  error
	syncs   int
}

func (s *shelf) Load(half int) ([]byte, error) {
	switch {
	case s.broken != nil:
		return nil, s.broken
	case s.damaged[half]:
		return nil, durable.ErrDamaged
	}
	return s.halves[half], nil
}

func (s *shelf) Store(half int, raw []byte) error {
	s.halves[half] = append([]byte{}, raw...)
	return s.broken
}

func (s *shelf) Sync() error { s.syncs++; return nil }

func TestCellOverHalvesKeptApart(t *testing.T) {
	s := &shelf{}
	c := openCell(t, durable.Apart(s))
	if _, ok := c.Load(); ok {
		t.Fatal("an empty shelf has a value")
	}
	for _, value := range []string{"one", "two", "three"} {
		before := s.syncs
		if err := c.StoreTwice([]byte(value)); err != nil {
			t.Fatal(err)
		}
		if s.syncs-before < 2 {
			t.Fatalf("%s: the halves were not made durable one by one", value)
		}
		for half := range 2 {
			t.Run(value, func(t *testing.T) {
				s.damaged[half] = true
				defer func() { s.damaged[half] = false }()
				wantValue(t, openCell(t, durable.Apart(s)), value)
			})
		}
	}
}

func TestStoreTwiceCutBetween(t *testing.T) {
	s := &shelf{}
	c := openCell(t, durable.Apart(s))
	if err := c.StoreTwice([]byte("old")); err != nil {
		t.Fatal(err)
	}
	old := s.halves
	if err := c.StoreTwice([]byte("new")); err != nil {
		t.Fatal(err)
	}
	for half := range 2 { // whichever half was written before the cut
		cut := &shelf{halves: old}
		cut.halves[half] = s.halves[half]
		got, _ := openCell(t, durable.Apart(cut)).Load()
		if string(got) != "new" {
			t.Errorf("with half %d written: got %q", half, got)
		}
	}
}

func TestBothHalvesDamaged(t *testing.T) {
	s := &shelf{}
	if err := openCell(t, durable.Apart(s)).Store([]byte("value")); err != nil {
		t.Fatal(err)
	}
	s.damaged = [2]bool{true, true}
	if _, err := durable.OpenCell(durable.Apart(s)); !errors.Is(err, durable.ErrDamaged) {
		t.Fatalf("got %v", err)
	}
	s.damaged = [2]bool{}
	before := s.halves
	c := durable.ResetCell(durable.Apart(s))
	if _, ok := c.Load(); ok || string(before[0]) != string(s.halves[0]) {
		t.Fatal("a reset cell has a value, or was written")
	}
	store(t, c, "anew")
	wantValue(t, openCell(t, durable.Apart(s)), "anew")
}

func TestABrokenShelfIsNotADamagedHalf(t *testing.T) {
	s := &shelf{broken: errors.New("the store is away")}
	if _, err := durable.OpenCell(durable.Apart(s)); !errors.Is(err, s.broken) {
		t.Fatalf("got %v", err)
	}
}
