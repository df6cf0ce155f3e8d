package execd

import (
	"errors"
	"os"
	"testing"

	"nexus/libupdates/health"
	"nexus/libupdates/powers"
	"nexus/libupdates/refusal"
)

func noSockets() *sockets { return &sockets{expected: map[string]chan *os.File{}} }

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

// A socket reaches the start that its ticket is for. Any other is closed: nobody must come to hold it by accident.
func TestSocketsReachTheStartTheyAreFor(t *testing.T) {
	s := noSockets()
	one, arrivedOne := s.expect()
	two, arrivedTwo := s.expect()
	first, second, stray := someFile(t), someFile(t), someFile(t)
	s.take(two, second)
	s.take(one, first)
	s.take("0", stray)
	s.take("", stray)
	if len(arrivedOne) != 1 || <-arrivedOne != first || len(arrivedTwo) != 1 || isClosed(second) || !isClosed(stray) {
		t.Error("the sockets are not where their tickets say")
	}
	s.forget(two)
	late := someFile(t)
	s.take(two, late)
	if !isClosed(second) || !isClosed(late) {
		t.Error("a start that was given up leaves its sockets open")
	}
}

// More than a bundle can have are not kept.
func TestSocketsAreBounded(t *testing.T) {
	s := noSockets()
	ticket, arrived := s.expect()
	for range powers.MaxSockets {
		s.take(ticket, someFile(t))
	}
	extra := someFile(t)
	s.take(ticket, extra)
	if len(arrived) != powers.MaxSockets || !isClosed(extra) {
		t.Errorf("%d are held", len(arrived))
	}
}

// What a set asks for and is not granted speaks against the set; a port that is in use does not.
func TestDenialIsAVerdict(t *testing.T) {
	for _, c := range []struct {
		reason refusal.Reason
		want   health.State
	}{
		{refusal.PolicyDenied, health.StartFailed},
		{refusal.PortTaken, health.StartFailed},
		{refusal.IO, health.Hindered},
	} {
		if got := stateOf(refusal.New(c.reason, "x")); got != c.want {
			t.Errorf("%s: got %v, want %v", c.reason, got, c.want)
		}
	}
}

func TestSocketNames(t *testing.T) {
	names := spec{powers: []string{"net.listen:tcp/80", "net.listen:tcp/443"}}.socketNames()
	if len(names) != 2 || names[0] != "tcp/80" || names[1] != "tcp/443" {
		t.Errorf("got %q", names)
	}
}
