package world

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"nexus/daemons/initd"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/health"
	"nexus/libupdates/nxs"
	"nexus/libupdates/trust"
)

// limit bounds every wait in a world.
const limit = 30 * time.Second

// A World is one folder, and the system that runs in it.
type World struct {
	t        testing.TB
	Clock    *Clock
	Dir      string
	tapping  *tapping // nil: nobody listens
	State    string   // the folder of durable state; empty: that in Dir, where it is there
	launcher *launcher
	visitor  life // plays the selftest, if there is one
	shares   []initd.Share
	stop     context.CancelCauseFunc
	ended    chan error

	mu    sync.Mutex
	lines []string
	news  chan struct{}
}

// New makes a world around an empty folder. Its clock stands.
func New(t testing.TB) *World {
	return &World{t: t, Clock: NewClock(), Dir: t.TempDir(), news: make(chan struct{})}
}

// Listen has the tap told of every message from the next Start on.
func (w *World) Listen(tap Tap) { w.tapping = newTapping(tap) }

// Visit has a life of the test's own run in the place of the selftest, with what the authority table grants that. It is
// said before Start. No commit comes before it has voted.
func (w *World) Visit(run func(context.Context, *vat.Endowments) error) {
	w.visitor = func(ctx context.Context, b *vat.Endowments, _ plat.Host) error { return run(ctx, b) }
}

// Share has the system give a role on a socket `<role>.sock` of its folder from the next Start on.
func (w *World) Share(role string) {
	w.shares = append(w.shares, initd.Share{Role: role, Path: filepath.Join(w.Dir, role+".sock")})
}

// Start boots the system with these trusted keys and, if it is not empty, a factory set.
func (w *World) Start(factory []byte, keys ...trust.PublicKey) {
	w.t.Helper()
	config := initd.Config{Dir: w.Dir, State: w.State, Shares: w.shares, Limits: nxs.DefaultLimits(),
		Policy: health.DefaultPolicy()}
	config.Policy.Hang = 0 // the clock is wound faster than anyone could answer
	for _, key := range keys {
		config.Trust = append(config.Trust, key.Text())
	}
	if factory != nil {
		config.Factory = filepath.Join(w.t.TempDir(), "factory.nxs")
		if err := os.WriteFile(config.Factory, factory, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	if w.visitor != nil {
		config.SelftestSets = w.t.TempDir()
	}
	reader, console, err := os.Pipe()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { reader.Close() }) // a writer that was killed may have left its end open
	go w.read(reader)
	ctx, cancel := context.WithCancelCause(context.Background())
	host := plat.Host{Clock: w.Clock, Spawner: &programs{clock: w.Clock, letGo: make(chan struct{})}}
	w.launcher, w.stop, w.ended = newLauncher(host, w.tapping, w.visitor), cancel, make(chan error, 1)
	go func() {
		defer console.Close()
		w.ended <- w.boot(ctx, config, host, console)
	}()
	w.t.Cleanup(func() { w.Stop() })
}

// boot runs one core after another, as the first process does that executes itself anew. Each is the code of this
// process, under the digest of the core that was handed over to.
func (w *World) boot(ctx context.Context, config initd.Config, host plat.Host, console *os.File) error {
	for {
		next, err := initd.Boot(ctx, config, host, w.launcher, console, console)
		if err != nil || next == nil {
			return err
		}
		config.Handed = *next
	}
}

// Stop stops the system in order and returns how it ended. A second call does nothing.
func (w *World) Stop() error {
	if w.stop == nil {
		return nil
	}
	w.stop(nil)
	w.stop = nil
	select {
	case err := <-w.ended:
		return err
	case <-time.After(limit):
		w.t.Fatalf("the system does not stop; console:\n%s", w.Console())
		return nil
	}
}

// End kills one of those a Message names and waits for nothing; a tap may call it. The death of initd is the death of
// everything: Stop tells when it is over, then Start may begin anew.
func (w *World) End(name string) {
	if name != InitName {
		w.launcher.end(name)
		return
	}
	w.launcher.endAll()
	if w.tapping != nil {
		w.tapping.sever("Operator")
	}
	if stop := w.stop; stop != nil {
		stop(initd.ErrNoOrder)
	}
}

// Cut ends everything at once, as a loss of power does, and waits until it is over.
func (w *World) Cut() error {
	w.t.Helper()
	w.End(InitName)
	return w.Stop()
}

// AwaitEnd waits until the system has stopped by itself and returns how it ended.
func (w *World) AwaitEnd() error {
	w.t.Helper()
	select {
	case err := <-w.ended:
		w.stop(nil)
		w.stop = nil
		return err
	case <-time.After(limit):
		w.t.Fatalf("the system does not end; console:\n%s", w.Console())
		return nil
	}
}

// restartStep is how far the clock is wound at a time until a daemon has come back.
const restartStep = 50 * time.Millisecond

// Kill ends a daemon as kill -9 does, and winds the clock until its next life has begun.
func (w *World) Kill(daemon string) {
	w.t.Helper()
	deadline := time.After(limit)
	reborn := w.launcher.kill(daemon)
	for {
		w.Clock.Wind(restartStep)
		select {
		case <-reborn:
			return
		case <-deadline:
			w.t.Fatalf("%s does not come back; console:\n%s", daemon, w.Console())
		case <-time.After(time.Millisecond):
		}
	}
}

// Ended returns the daemons in the order in which they ended.
func (w *World) Ended() []string {
	w.launcher.mu.Lock()
	defer w.launcher.mu.Unlock()
	return slices.Clone(w.launcher.ended)
}

func (w *World) read(console *os.File) {
	defer console.Close()
	scanner := bufio.NewScanner(console)
	for scanner.Scan() {
		w.mu.Lock()
		w.lines = append(w.lines, scanner.Text())
		close(w.news)
		w.news = make(chan struct{})
		w.mu.Unlock()
	}
}

// Console returns all lines so far, as text.
func (w *World) Console() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := ""
	for _, line := range w.lines {
		text += line + "\n"
	}
	return text
}

// Await waits until the console has shown the line that often.
func (w *World) Await(line string, count int) {
	w.t.Helper()
	deadline := time.After(limit)
	for {
		w.mu.Lock()
		news, seen := w.news, 0
		for _, l := range w.lines {
			if l == line {
				seen++
			}
		}
		w.mu.Unlock()
		if seen >= count {
			return
		}
		select {
		case <-news:
		case <-deadline:
			w.t.Fatalf("no %q (%d times) on the console:\n%s", line, count, w.Console())
		}
	}
}

// Shows tells whether the console has shown the line.
func (w *World) Shows(line string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.lines, line)
}
