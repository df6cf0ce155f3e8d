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

// living gives the system a daemon with an endowment channel, and returns the daemon's end of it.
func living(t *testing.T, s *system, name string) (channel func() *vat.Endowments, parent *vat.Parent) {
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
	return func() *vat.Endowments {
		far, err := vat.ChannelOf(theirs)
		if err != nil {
			t.Fatal(err)
		}
		b := vat.Endowed(far)
		t.Cleanup(b.Close)
		return b
	}, parent
}

// TestAStoppedDaemonHoldsUpNobody links two daemons, again and again, that take nothing from their channels. No link
// waits for them, they are given up in the end, and what a third is granted meanwhile arrives.
func TestAStoppedDaemonHoldsUpNobody(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	s := newSystem(Config{}, plat.Host{Clock: plat.RealClock{}}, nil, io.Discard)
	_, samgrd := living(t, s, "samgrd")
	_, bundlemgrd := living(t, s, "bundlemgrd")
	first, updated := living(t, s, "updated")
	b := first()
	for stuffed := false; !stuffed; {
		s.mu.Lock()
		err := s.link("bundlemgrd", registrar("BundleMgr"))
		s.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-samgrd.Stuffed():
			stuffed = true
		case <-ctx.Done():
			t.Fatal("a daemon that takes nothing holds up the others")
		default:
		}
	}
	if err := updated.GrantSetting("tries", "2"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Setting(ctx, "tries"); err != nil {
		t.Errorf("what another daemon is granted does not arrive: %v", err)
	}
	bundlemgrd.Close() // a second end is no end
	if err := bundlemgrd.GrantSetting("tries", "2"); err != nil {
		t.Errorf("a grant to one that has died: %v", err)
	}
}
