package world

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"nexus/daemons/bundlemgrd"
	"nexus/daemons/execd"
	"nexus/daemons/fetchd"
	"nexus/daemons/keystored"
	"nexus/daemons/logd"
	"nexus/daemons/packagefsd"
	"nexus/daemons/patchd"
	"nexus/daemons/plat"
	"nexus/daemons/remoted"
	"nexus/daemons/samgrd"
	"nexus/daemons/statefsd"
	"nexus/daemons/updated"
	"nexus/daemons/vat"
	"nexus/libupdates/updater"
	"nexus/oci"
)

// A runFunc is a daemon's Run function.
type runFunc func(context.Context, *vat.Endowments, plat.Host) error

func daemons(visitor runFunc) map[string]runFunc {
	return map[string]runFunc{
		"bundlemgrd": bundlemgrd.Run, "execd": execd.Run, "fetchd": fetcher, "keystored": keystored.Run, "logd": logd.Run,
		"packagefsd": packagefsd.Run, "patchd": patchd.Run, "remoted": remoted.Run, "samgrd": samgrd.Run,
		"statefsd": statefsd.Run, "updated": updated.Run,
		"selftest": visitor,
	}
}

// fetcher is fetchd with the time of its registry, which is real, and little patience.
func fetcher(ctx context.Context, b *vat.Endowments, host plat.Host) error {
	host.Clock = plat.RealClock{}
	return fetchd.RunAt(ctx, b, host,
		oci.Pace{Patience: time.Second, Retries: 2, Pause: time.Millisecond, MaxPause: 2 * time.Millisecond})
}

// A launcher runs daemons as goroutines.
type launcher struct {
	host    plat.Host
	tapping *tapping // nil: no tap
	visitor runFunc  // nil: no visitor

	mu      sync.Mutex
	down    bool // PID 1 is dead: nothing is started any more
	next    int
	running map[string]*daemon
	ended   []string // in the order in which their last instances ended
}

func newLauncher(host plat.Host, t *tapping, visitor runFunc) *launcher {
	return &launcher{host: host, tapping: t, visitor: visitor, running: map[string]*daemon{}}
}

// Launch starts a daemon on its endowment channel.
func (l *launcher) Launch(name string, channel, stderr *os.File) (plat.Process, error) {
	run := daemons(l.visitor)[name]
	if run == nil {
		return nil, fmt.Errorf("cannot launch %s: no such daemon", name)
	}
	own, err := vat.Socket(channel)
	if err != nil {
		return nil, err
	}
	unix, ok := own.(*net.UnixConn)
	if !ok {
		return nil, errors.New("cannot launch: the channel is not a unix socket")
	}
	if l.tapping != nil {
		if unix, err = l.tapping.tappedChannel(name, unix); err != nil {
			return nil, err
		}
	}
	last, err := dup(stderr)
	if err != nil {
		return nil, err
	}
	b := vat.Endowed(unix)
	ctx, cancel := context.WithCancel(context.Background())
	d := &daemon{endowments: b, cancel: cancel, done: make(chan struct{}), followed: make(chan struct{})}
	if err := l.admit(name, d); err != nil {
		cancel()
		b.Close()
		last.Close()
		return nil, err
	}
	go func() {
		<-b.Done()
		cancel()
	}()
	go l.live(ctx, name, run, d, last)
	return d, nil
}

// live runs an instance of a daemon, and notes how it ended.
func (l *launcher) live(ctx context.Context, name string, run runFunc, d *daemon, last *os.File) {
	defer close(d.done)
	defer last.Close()
	defer d.endowments.Close()
	err := run(ctx, d.endowments, l.host)
	l.mu.Lock()
	l.ended = append(l.ended, name)
	l.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(last, "%s: %v\n", name, err)
		d.exit = plat.Exit{Code: codeOf(err)}
	}
	if d.killed {
		d.exit = plat.Exit{Signal: 9}
	}
}

// admit makes d the current instance of a daemon, unless the machine is down.
func (l *launcher) admit(name string, d *daemon) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return errors.New("cannot launch: the machine is down")
	}
	l.next++
	d.pid = l.next
	if before := l.running[name]; before != nil {
		close(before.followed)
	}
	l.running[name] = d
	return nil
}

func codeOf(err error) int {
	var factory *updater.FactoryError
	var state *statefsd.UnusableError
	var keys *keystored.UnusableError
	if errors.As(err, &factory) || errors.As(err, &state) || errors.As(err, &keys) {
		return 78
	}
	return 1
}

// kill ends a daemon as kill -9 does: all its connections close at once. It returns when the daemon has ended. The
// channel is closed when the daemon's next instance starts.
func (l *launcher) kill(name string) (restarted <-chan struct{}) {
	l.mu.Lock()
	d := l.running[name]
	l.mu.Unlock()
	d.Kill()
	<-d.done
	return d.followed
}

// end kills a daemon without waiting. It does nothing if the daemon is dead.
func (l *launcher) end(name string) {
	l.mu.Lock()
	d := l.running[name]
	l.mu.Unlock()
	if d != nil {
		d.Kill()
	}
}

// endAll kills all daemons and starts none again. updated, which owns the disk, is first: nothing becomes durable after
// that. logd is left to initd, which would otherwise wait for it.
func (l *launcher) endAll() {
	l.mu.Lock()
	l.down = true
	order := []*daemon{l.running["updated"]}
	for name, d := range l.running {
		if name != "logd" {
			order = append(order, d)
		}
	}
	l.mu.Unlock()
	for _, d := range order {
		if d != nil {
			d.Kill()
		}
	}
}

// A daemon is one instance of a daemon, as a process.
type daemon struct {
	pid        int
	endowments *vat.Endowments
	cancel     context.CancelFunc
	done       chan struct{}
	followed   chan struct{} // closed when the daemon's next instance starts
	killed     bool          // written before cancel, read after the daemon has ended
	once       sync.Once
	exit       plat.Exit
}

func (d *daemon) PID() int              { return d.pid }
func (d *daemon) Done() <-chan struct{} { return d.done }
func (d *daemon) Gone() <-chan struct{} { return d.done }
func (d *daemon) Exit() plat.Exit       { return d.exit }
func (d *daemon) Terminate()            { d.Kill() }

func (d *daemon) Kill() {
	d.once.Do(func() {
		d.killed = true
		d.endowments.Close()
	})
}

// EndowmentsOf returns the endowments of a daemon's current instance, which is all that someone who takes over the
// daemon gets. It is nil if the daemon does not run.
func (w *World) EndowmentsOf(daemon string) *vat.Endowments {
	w.launcher.mu.Lock()
	defer w.launcher.mu.Unlock()
	if d := w.launcher.running[daemon]; d != nil {
		return d.endowments
	}
	return nil
}
