package execd

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
)

// Only a bundle that is started on demand is run on demand. Of a service it is said that the system starts it.
func TestLookUp(t *testing.T) {
	used, _ := connected(t, &fakeBundlemgrd{listed: map[string]string{
		"tool": nxb.AbilityMain, "web": nxb.AbilityService, "site": nxb.AbilityData,
	}})
	s := &supervisor{means: &means{bundles: vat.NewHolding("BundleMgr")}, changed: vat.NewNotifier()}
	s.bundles.Renew(used)
	s.apps = newAppRuns(s, plat.UserRange{First: 1 << 20, Count: 8})
	for name, want := range map[string]struct {
		reason refusal.Reason
		detail string
	}{
		"tool": {},
		"web":  {refusal.NotRunnable, "web is a service: the system starts it by itself"},
		"site": {refusal.NotRunnable, "site does not name nexus.ability.Main"},
		"":     {refusal.UnknownBundle, "no published bundle has this name"},
	} {
		found, err := (&execServer{s: s}).lookUp(t.Context(), name)
		if err == nil && want.reason == "" && found.name == name {
			continue
		}
		if err == nil || refusal.Of(err) != want.reason || refusal.DetailOf(err) != want.detail {
			t.Errorf("%s: got %q, %v; want %+v", name, found.name, err, want)
		}
	}
}

// Who no longer waits for a program does not wait for its turn to be started either.
func TestARunThatIsGivenUpEnds(t *testing.T) {
	used, _ := connected(t, &fakeBundlemgrd{listed: map[string]string{"tool": nxb.AbilityMain}})
	s := &supervisor{means: &means{bundles: vat.NewHolding("BundleMgr"), launcher: &launcher{}},
		changed: vat.NewNotifier()}
	s.bundles.Renew(used)
	s.apps = newAppRuns(s, plat.UserRange{First: 1 << 20, Count: 8})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := (&execServer{s: s, runs: new(atomic.Uint64)}).run(ctx, "tool")
		ended <- err
	}()
	demanded := func() bool {
		s.apps.mu.Lock()
		defer s.apps.mu.Unlock()
		return s.apps.runs("tool")
	}
	for !demanded() && len(ended) == 0 {
		runtime.Gosched()
	}
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) || demanded() {
			t.Errorf("got %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it still waits")
	}
}

// A gone process has ended, with all that it started.
type gone struct{ plat.Process }

func (gone) Kill() {}

func (gone) Gone() <-chan struct{} {
	over := make(chan struct{})
	close(over)
	return over
}

// What the report of a program's end reads is there until it is written, however soon the program is dropped.
func TestAProgramIsReportedBeforeItIsDismissed(t *testing.T) {
	parent, channel, err := plat.PacketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer channel.Close()
	f := newForwarder(func(string, uint64) error { return nil })
	l, err := newLinks("tool#1", parent, plat.RealClock{}, f)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	defer theirs.Close()
	s := &supervisor{means: &means{clock: plat.RealClock{}}, changed: vat.NewNotifier()}
	p := &processServer{s: s, reported: make(chan struct{}),
		program: &program{process: gone{}, links: l, conn: vat.Connect(ours, capnp.Client{})}}
	p.Shutdown()
	for range 1000 {
		if runtime.Gosched(); f.program("tool#1") == nil {
			t.Fatal("it is dismissed, and its end is not reported")
		}
	}
	close(p.reported)
	for late := time.Now().Add(time.Minute); f.program("tool#1") != nil; runtime.Gosched() {
		if time.Now().After(late) {
			t.Fatal("it is not dismissed")
		}
	}
}
