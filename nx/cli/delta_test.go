package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/updatestest"
)

// A deltaCase is a delta in a file, the full set in another, and what the delta builds on.
type deltaCase struct {
	delta, full string
	base        []byte
}

func newDeltaCase(t *testing.T) deltaCase {
	t.Helper()
	key := updatestest.Key(1)
	bundle := func(version string) updatestest.Made {
		program := version + strings.Repeat(" is one version of a program", 30)
		return updatestest.Bundle("hello", version, []string{nxb.AbilityService}, []byte(program), key)
	}
	old, fresh := bundle("1.0.0"), bundle("1.2.0")
	dir := t.TempDir()
	c := deltaCase{filepath.Join(dir, "up.nxdelta"), filepath.Join(dir, "full.nxs"), old.Entry.PayloadSHA256[:]}
	for name, raw := range map[string][]byte{
		c.delta: updatestest.Delta(t, key, "1.2.0", []updatestest.Made{old}, []updatestest.Made{fresh}),
		c.full:  updatestest.Archive(t, key, "1.2.0", fresh),
	} {
		if err := os.WriteFile(name, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// wantSent wants the peer to have received a file, or nothing.
func (p *peer) wantSent(t *testing.T, file string) {
	t.Helper()
	var want []byte
	if file != "" {
		var err error
		if want, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !bytes.Equal(p.received.Bytes(), want) {
		t.Errorf("%d bytes were sent, want the %d of %q", p.received.Len(), len(want), file)
	}
	p.received.Reset()
}

const deltaHint = "hint: with `--full FILE.nxs`, nx sends the set itself to a device that cannot use the delta\n"

// A delta is sent where its base is held. Else it is refused by the digest of the base before anything is sent, or the
// full set is sent in its place.
func TestStageDelta(t *testing.T) {
	c, p := newDeltaCase(t), startPeer(t)
	lacks := fmt.Sprintf("hello 1.2.0 is made from the payload %x, which the device does not hold", c.base)
	p.nx("stage", c.delta).want(t, 1, "", "nx: cannot stage "+c.delta+": "+lacks+"\n"+deltaHint)
	p.wantSent(t, "")

	got := p.nx("stage", c.delta, "--full", c.full)
	if got.status != 0 || !strings.Contains(got.stderr, lacks+": sending "+c.full+" whole\n") {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
	p.wantSent(t, c.full)

	p.set(func(p *peer) { p.held = [][]byte{c.base} })
	if got := p.nx("stage", c.delta); got.status != 0 {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
	p.wantSent(t, c.delta)
}

// A device that has the result needs no base.
func TestStageDeltaWhoseResultIsHeld(t *testing.T) {
	c, p := newDeltaCase(t), startPeer(t)
	raw, err := os.ReadFile(c.full)
	if err != nil {
		t.Fatal(err)
	}
	found, err := nxs.Peek(bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	p.set(func(p *peer) { p.held = [][]byte{found.Index.Bundles[0].PayloadSHA256[:]} })
	if got := p.nx("stage", c.delta); got.status != 0 {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
	p.wantSent(t, c.delta)
}

// A base that the device finds damaged is missing, too: the full set follows, if there is one.
func TestStageDeltaOnADamagedBase(t *testing.T) {
	c := newDeltaCase(t)
	p := startPeer(t)
	p.set(func(p *peer) {
		p.held = [][]byte{c.base}
		p.refuse["stageSystem"] = [2]string{"missing-base", "it is damaged"}
	})
	p.nx("stage", c.delta).want(t, 1, "", "nx: cannot stage "+c.delta+": it is damaged\n"+deltaHint)
	got := p.nx("stage", c.delta, "--full", c.full)
	if !strings.Contains(got.stderr, "it is damaged: sending "+c.full+" whole\n") {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
}

// A system that cannot say what it holds judges the delta itself.
func TestStageDeltaOnAnOlderSystem(t *testing.T) {
	c, p := newDeltaCase(t), startPeer(t)
	p.set(func(p *peer) { p.older = true })
	if got := p.nx("stage", c.delta); got.status != 0 {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
	p.wantSent(t, c.delta)
}

// --full goes with a delta, and with the set that it makes.
func TestFullThatDoesNotFit(t *testing.T) {
	c, p := newDeltaCase(t), startPeer(t)
	got := p.nx("stage", c.full, "--full", c.full)
	if got.status != 2 || !strings.Contains(got.stderr, "--full goes with a delta, and "+c.full+" is a set") {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
	other := setFile(t, "1.2.0")
	got = p.nx("stage", c.delta, "--full", other)
	if got.status != 1 || !strings.Contains(got.stderr, ": "+other+" is not the set that the delta makes\n") {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
	p.wantSent(t, "")
}

// Before an update with a delta the same is said as before one with a set.
func TestUpdateWithAnOlderDelta(t *testing.T) {
	c, p := newDeltaCase(t), startPeer(t)
	p.change(func(s *peerState) {
		for slot, set := range s.sets {
			set.version = "2.0.0"
			s.sets[slot] = set
		}
	})
	got := p.nx("update", c.delta)
	if got.status != 1 || !strings.Contains(got.stderr, "1.2.0 is older than 2.0.0, which runs") {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
	p.wantSent(t, "")
}
