package links_test

import (
	"context"
	"testing"
	"time"

	"nexus/daemons/initd/links"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// limit ends a wait of these tests that hangs.
const limit = 5 * time.Minute

// living gives the links a daemon with an endowment channel, and returns the daemon's end of it.
func living(t *testing.T, l *links.Links, name string) (channel func() *vat.Endowments, parent *vat.Parent) {
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
	l.Pretend(name, parent)
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
	l := links.New(links.Config{Table: rows(), Clock: plat.RealClock{}})
	_, samgrd := living(t, l, "samgrd")
	_, bundlemgrd := living(t, l, "bundlemgrd")
	first, updated := living(t, l, "updated")
	b := first()
	for overflowed := false; !overflowed; {
		err := l.Link("bundlemgrd", links.Edge{Facet: links.RegistrarFacet, From: "samgrd", Grants: []string{"BundleMgr"}})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-samgrd.Overflowed():
			overflowed = true
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
