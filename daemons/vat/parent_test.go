package vat_test

import (
	"bytes"
	"context"
	"os"
	"syscall"
	"testing"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// TestParentHearsAnything has the far end of a channel, which may be a hostile bundle's, send packets that are not
// reports, and descriptors. Its valid reports still arrive, and none of its descriptors stays open.
func TestParentHearsAnything(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	ours, theirs, err := plat.PacketPair()
	if err != nil {
		t.Fatal(err)
	}
	channel, err := vat.ChannelOf(ours)
	if err != nil {
		t.Fatal(err)
	}
	p := vat.NewParent(channel)
	defer p.Close()
	before := descriptors(t)
	for _, packet := range [][]byte{{0}, {0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, bytes.Repeat([]byte{0xff}, 4096),
		make([]byte, 9000)} {
		if err := syscall.Sendmsg(int(theirs.Fd()), packet, syscall.UnixRights(int(os.Stderr.Fd())), nil,
			0); err != nil {
			t.Fatal(err)
		}
	}
	far, err := vat.ChannelOf(theirs)
	if err != nil {
		t.Fatal(err)
	}
	b := vat.Endowed(far)
	defer b.Close()
	if err := b.Ready(); err != nil {
		t.Fatal(err)
	}
	receive(t, ctx, p.Ready())
	if now := descriptors(t); now > before {
		t.Errorf("%d descriptors are open, want %d", now, before)
	}
}

// descriptors returns the number of open descriptors of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
