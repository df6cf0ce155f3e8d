package vattest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// Patience ends a wait of a test that should have ended long before.
const Patience = 10 * time.Second

// A Daemon is one running life of a daemon under test.
type Daemon struct {
	t       testing.TB
	parent  *vat.Parent
	links   atomic.Uint64 // how many it was granted
	ended   chan struct{} // closed when run has returned
	err     error         // what it returned, unless it was told to stop; valid after ended
	awaited bool          // the test has taken err
	stop    func()
}

// Start runs a daemon until the test ends or Stop is called. An error it returns before it was told to stop fails the
// test.
func Start(t testing.TB, run func(ctx context.Context, b *vat.Endowments) error) *Daemon {
	t.Helper()
	ours, theirs, err := plat.PacketPair()
	if err != nil {
		t.Fatal(err)
	}
	channel, err := vat.ChannelOf(theirs)
	if err != nil {
		t.Fatal(err)
	}
	parental, err := vat.ChannelOf(ours)
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{t: t, parent: vat.NewParent(parental), ended: make(chan struct{})}
	d.stop = sync.OnceFunc(d.end)
	go d.live(vat.Endowed(channel), run)
	t.Cleanup(d.Stop)
	return d
}

// live is what a daemon's main does.
func (d *Daemon) live(b *vat.Endowments, run func(context.Context, *vat.Endowments) error) {
	defer close(d.ended)
	defer b.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-b.Done()
		cancel()
	}()
	if err := run(ctx, b); err != nil && ctx.Err() == nil {
		d.err = err
	}
}

// AwaitReady waits until the daemon has said that it serves.
func (d *Daemon) AwaitReady() {
	d.t.Helper()
	select {
	case <-d.parent.Ready():
	case <-d.ended:
		d.t.Fatalf("the daemon ended before it was ready: %v", d.err)
	case <-time.After(Patience):
		d.t.Fatal("the daemon does not become ready")
	}
}

// AwaitAlive asks the daemon whether it is alive, and waits for the answer.
func (d *Daemon) AwaitAlive() {
	d.t.Helper()
	d.must(d.parent.Ping())
	select {
	case <-d.parent.Alive():
	case <-time.After(Patience):
		d.t.Fatal("the daemon gives no sign of life")
	}
}

// Await waits for the daemon to end by itself and returns the error it ended with, which then does not fail the test.
func (d *Daemon) Await() error {
	d.t.Helper()
	select {
	case <-d.ended:
		d.awaited = true
		return d.err
	case <-time.After(Patience):
		d.t.Fatal("the daemon does not end")
		return nil
	}
}

// Stop orders the daemon to stop and waits until it has. Whoever holds a capability of its gets `disconnected`. A
// second call has no effect.
func (d *Daemon) Stop() { d.stop() }

func (d *Daemon) end() {
	d.t.Helper()
	d.parent.Close()
	select {
	case <-d.ended:
		if d.err != nil && !d.awaited {
			d.t.Errorf("the daemon failed: %v", d.err)
		}
	case <-time.After(Patience):
		d.t.Error("the daemon does not stop")
	}
}
