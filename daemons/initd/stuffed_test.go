package initd

import (
	"context"
	"io"
	"testing"
	"time"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// limit bounds each wait of these tests.
const limit = 20 * time.Second

// living gives the system a daemon with a birth channel, and returns the daemon's end of it.
func living(t *testing.T, s *system, name string) (channel func() *vat.Birth, parent *vat.Parent) {
	t.Helper()
	ours, theirs, err := plat.PacketPair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	own, err := vat.ChannelOf(ours)
	if err != nil {
		t.Fatal(err)
	}
	parent = vat.NewParent(own)
	t.Cleanup(parent.Close)
	s.children[name] = &child{row: Daemon{Name: name}, parent: parent}
	return func() *vat.Birth {
		far, err := vat.ChannelOf(theirs)
		if err != nil {
			t.Fatal(err)
		}
		b := vat.Born(far)
		t.Cleanup(b.Close)
		return b
	}, parent
}

// TestAStoppedDaemonHoldsUpNobody links a daemon, again and again, with one that takes nothing from its channel. No link waits for that
// one, which is given up in the end, and what the other daemon is granted meanwhile arrives.
func TestAStoppedDaemonHoldsUpNobody(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	s := newSystem(Config{}, plat.Host{Clock: plat.RealClock{}}, nil, io.Discard)
	_, stopped := living(t, s, "samgrd")
	born, _ := living(t, s, "bundlemgrd")
	b := born()
	stuffed := false
	for !stuffed {
		s.mu.Lock()
		err := s.link("bundlemgrd", registrar("BundleMgr"))
		s.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-stopped.Stuffed():
			stuffed = true
		case <-ctx.Done():
			t.Fatal("a daemon that takes nothing holds up the others")
		default:
		}
	}
	s.mu.Lock()
	err := s.grantResources(Daemon{Settings: []string{"tries"}}, s.children["bundlemgrd"].parent)
	s.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Setting(ctx, "tries"); err != nil {
		t.Errorf("what the other daemon is granted does not arrive: %v", err)
	}
}
