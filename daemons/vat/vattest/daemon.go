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

// Patience bounds each wait in a test. It is far longer than any wait should take.
const Patience = 10 * time.Second

// A Daemon is one running instance of a daemon under test.
type Daemon struct {
	t       testing.TB
	parent  *vat.Parent
	links   atomic.Uint64 // number of links granted
	ended   chan struct{} // closed when run has returned
	err     error         // the error it returned, unless it was told to stop; valid after ended
	awaited bool          // the test has taken err
	stop    func()
}

// Start runs a daemon until the test ends or Stop is called. An error that it returns before it is told to stop fails
// the test.
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

// live does what a daemon's main does.
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

// AwaitReady waits until the daemon reports that it serves.
func (d *Daemon) AwaitReady() {
	d.t.Helper()
	select {
	case <-d.parent.Ready():
	case <-d.ended:
		d.t.Fatalf("the daemon ended before it was ready: %v", d.err)
	case <-time.After(Patience):
		d.t.Fatal("the daemon did not become ready in time")
	}
}

// AwaitAlive pings the daemon and waits for the answer.
func (d *Daemon) AwaitAlive() {
	d.t.Helper()
	d.must(d.parent.Ping())
	select {
	case <-d.parent.Alive():
	case <-time.After(Patience):
		d.t.Fatal("the daemon did not answer a ping")
	}
}

// Await waits until the daemon ends by itself and returns its error, which then does not fail the test.
func (d *Daemon) Await() error {
	d.t.Helper()
	select {
	case <-d.ended:
		d.awaited = true
		return d.err
	case <-time.After(Patience):
		d.t.Fatal("the daemon did not end in time")
		return nil
	}
}

// Stop orders the daemon to stop and waits until it has. Clients that hold its capabilities get `disconnected`. Further
// calls have no effect.
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
		d.t.Error("the daemon did not stop in time")
	}
}
