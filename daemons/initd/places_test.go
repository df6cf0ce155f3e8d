package initd

import (
	"net"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/vat"
)

// fill gives connections that do nothing these places.
func fill(t *testing.T, c *controlSocket, n int, kept time.Time) {
	for range n {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { theirs.Close() })
		conn := vat.Connect(ours, capnp.Client{})
		t.Cleanup(conn.Close)
		c.conns[conn] = struct{}{}
		if !kept.IsZero() {
			c.kept[conn] = kept
		}
	}
}

// Whoever is connected, there is a place for control, sooner or later.
func TestPlaces(t *testing.T) {
	role, _ := RoleOf(operatorRole)
	now := time.Now()
	c := newControlSocket(nil, "", role)
	step := func(want place) {
		t.Helper()
		if got := c.place(now); got != want {
			t.Fatalf("with %d connections, %d of them in kept places, the next gets place %d, want %d",
				len(c.conns), len(c.kept), got, want)
		}
	}
	step(placeAny)
	fill(t, c, maxOperators-keptPlaces, time.Time{})
	step(placeKept)
	fill(t, c, keptPlaces-1, now)
	step(placeKept)
	fill(t, c, 1, now)
	step(placeNone)
	now = now.Add(maxIdle - time.Second)
	step(placeNone)
	for conn := range c.kept { // one is old, and not idle
		c.kept[conn] = now.Add(-2 * maxIdle)
		break
	}
	step(placeKept)
	if len(c.kept) != keptPlaces-1 || len(c.conns) != maxOperators-1 {
		t.Errorf("%d connections are left, %d of them in kept places", len(c.conns), len(c.kept))
	}
	// Who has long been idle gives way, and its place is for anything.
	now = now.Add(2 * maxIdle)
	for len(c.conns)-len(c.kept) == maxOperators-keptPlaces {
		if c.place(now) == placeNone {
			t.Fatal("nobody gives way")
		}
	}
	step(placeAny)
}

// What lasts is not to be had in a kept place.
func TestLastingMethods(t *testing.T) {
	for name, want := range map[string]int{"status": 0, "stage": 0, operatorRole: 2} {
		role, _ := RoleOf(name)
		if got := newControlSocket(nil, "", role).lasting(); len(got) != want {
			t.Errorf("of %s, %v may last", name, got)
		}
	}
}
