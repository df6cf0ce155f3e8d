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
	"nexus/daemons/pinned"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/health"
	"nexus/libupdates/nxs"
	"nexus/libupdates/trust"
)

// limit bounds each wait in a world.
const limit = 5 * time.Minute

// A World is one folder and the system that runs in it.
type World struct {
	t        testing.TB
	Clock    *Clock
	Dir      string
	tapping  *tapping // nil: no tap
	State    string   // the folder for durable state; empty: the one in Dir, if it exists
	launcher *launcher
	visitor  runFunc // runs in place of the selftest, if not nil
	shares   []initd.Share
	remote   initd.Remote
	appKeys  []trust.PublicKey
	stop     context.CancelCauseFunc
	ended    chan error

	mu    sync.Mutex
	lines []string
	news  chan struct{}
}

// New returns a world with an empty folder. Its clock stands still.
func New(t testing.TB) *World {
	return &World{t: t, Clock: NewClock(), Dir: t.TempDir(), news: make(chan struct{})}
}

// Listen calls the tap for each message, from the next Start on.
func (w *World) Listen(tap Tap) { w.tapping = newTapping(tap) }

// Visit runs the given function in place of the selftest, with the selftest's row of the authority table. It must be
// called before Start. No set is committed before the function has voted.
func (w *World) Visit(run func(context.Context, *vat.Endowments) error) {
	w.visitor = func(ctx context.Context, b *vat.Endowments, _ plat.Host) error { return run(ctx, b) }
}

// Share makes the system serve a role on the socket `<role>.sock` in its folder, from the next Start on.
func (w *World) Share(role string) {
	w.shares = append(w.shares, initd.Share{Role: role, Path: filepath.Join(w.Dir, role+".sock")})
}

// Remote lets operators with these keys in over the network, from the next Start on.
func (w *World) Remote(role string, keys ...trust.PublicKey) {
	w.remote.Listen = "127.0.0.1:0"
	for _, key := range keys {
		w.remote.Operators = append(w.remote.Operators, pinned.Operator{Key: key, Role: role})
	}
}

// TrustForApps has these keys trusted for apps, from the next Start on.
func (w *World) TrustForApps(keys ...trust.PublicKey) { w.appKeys = append(w.appKeys, keys...) }

// Start boots the system with these trusted keys and, unless factory is nil, with that factory set.
func (w *World) Start(factory []byte, keys ...trust.PublicKey) {
	w.t.Helper()
	config := initd.Config{Dir: w.Dir, State: w.State, Shares: w.shares, Remote: w.remote,
		Limits: nxs.DefaultLimits(), Policy: health.DefaultPolicy()}
	config.Policy.Hang = 0 // the clock is wound faster than a daemon can answer
	for _, key := range keys {
		config.Trust = append(config.Trust, key.Text())
	}
	for _, key := range w.appKeys {
		config.Trust = append(config.Trust, trust.AppsMark+key.Text())
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
	host := plat.Host{Clock: w.Clock, Spawner: &programs{clock: w.Clock, letGo: make(chan struct{}),
		told: make(chan string, 16)}}
	w.launcher, w.stop, w.ended = newLauncher(host, w.tapping, w.visitor), cancel, make(chan error, 1)
	go func() {
		defer console.Close()
		w.ended <- w.boot(ctx, config, host, console)
	}()
	w.t.Cleanup(func() { w.Stop() })
}

// boot runs one core after the other, as the first process does when it executes itself again. Each runs this process's
// code under the digest of the core that was handed over to.
func (w *World) boot(ctx context.Context, config initd.Config, host plat.Host, console *os.File) error {
	for {
		next, err := initd.Boot(ctx, config, host, w.launcher, console, console)
		if err != nil || next == nil {
			return err
		}
		config.Handed = *next
	}
}

// Stop stops the system in order and returns its error. Further calls do nothing.
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
		w.t.Fatalf("the system did not stop; console:\n%s", w.Console())
		return nil
	}
}

// End kills a process, named as in Message, without waiting; a tap may call it. The death of initd ends everything:
// call Stop to wait for that, then Start may be called again.
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

// Cut ends everything at once, as a loss of power does, and waits until all has ended.
func (w *World) Cut() error {
	w.t.Helper()
	w.End(InitName)
	return w.Stop()
}

// AwaitEnd waits until the system has stopped by itself and returns its error.
func (w *World) AwaitEnd() error {
	w.t.Helper()
	select {
	case err := <-w.ended:
		w.stop(nil)
		w.stop = nil
		return err
	case <-time.After(limit):
		w.t.Fatalf("the system did not end; console:\n%s", w.Console())
		return nil
	}
}

// restartStep is how far the clock is wound at a time while waiting for a restart.
const restartStep = 50 * time.Millisecond

// Kill ends a daemon as kill -9 does, and winds the clock until its next instance has started.
func (w *World) Kill(daemon string) {
	w.t.Helper()
	deadline := time.After(limit)
	restarted := w.launcher.kill(daemon)
	for {
		w.Clock.Wind(restartStep)
		select {
		case <-restarted:
			return
		case <-deadline:
			w.t.Fatalf("%s was not restarted; console:\n%s", daemon, w.Console())
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

// Console returns all console lines so far.
func (w *World) Console() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := ""
	for _, line := range w.lines {
		text += line + "\n"
	}
	return text
}

// Await waits until the console has shown the line count times.
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

// Shows reports whether the console has shown the line.
func (w *World) Shows(line string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.lines, line)
}
