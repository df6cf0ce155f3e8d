package logclient

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/go-hclog"

	"nexus/capnpgen/journal"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

// closePatience is how long Close waits for logd.
const closePatience = time.Second

// A Log is one sender's log. As an hclog.Logger it takes plain messages; its own methods take what is more than that.
// All may be called from any goroutine.
type Log struct {
	hclog.Logger
	link   link
	queue  *queue
	over   chan struct{} // closed when nothing is sent any more
	cancel context.CancelFunc
}

// New makes the log of the process itself. The name is for the process's own use: logd goes by the connection. Close
// it.
func New(name string, sinks *vat.Holding) *Log { return start(name, link{holding: sinks}) }

// ForSender makes a log for a child of this process, with a queue of its own. Only a process whose LogSink is granted a
// kind of children has them; for others logd refuses the records. Close it.
func (l *Log) ForSender(child string) *Log {
	return start(child, link{holding: l.link.holding, child: child})
}

func start(name string, to link) *Log {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Log{link: to, queue: newQueue(), over: make(chan struct{}), cancel: cancel}
	// The logger itself prints nowhere: its sink is the queue. Its level is the lowest that is kept, so that IsDebug
	// tells the truth.
	front := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: name, Level: hclog.Debug, Output: io.Discard,
		DisableTime: true})
	front.RegisterSink(adapter{name, l.queue})
	l.Logger = front
	go l.deliver(ctx)
	return l
}

// deliver sends batch after batch until the log is closed and empty, or ctx ends.
func (l *Log) deliver(ctx context.Context) {
	defer close(l.over)
	for {
		b, err := l.queue.next(ctx)
		if err != nil {
			return
		}
		err = l.link.call(ctx, func(sink journal.LogSink) error { return write(ctx, sink, b) })
		if ctx.Err() != nil {
			return
		}
		l.queue.settle(b, err == nil)
	}
}

// Marker prints a line on the console: printable ASCII, at most 120 bytes. It returns once logd has printed it, after
// everything this log was told before. It waits for logd as long as ctx; when logd dies before it has answered, the
// line goes to its next life and may stand on the console twice.
func (l *Log) Marker(ctx context.Context, line string) error {
	err := l.queue.flush(ctx)
	if err == nil {
		err = l.link.call(ctx, func(sink journal.LogSink) error { return mark(ctx, sink, line) })
	}
	if err != nil {
		return fmt.Errorf("cannot print marker %q: %w", line, err)
	}
	return nil
}

// Sync waits until what this log was told before is on disk, as long as ctx, and reports whether it is: a system
// without state keeps no journal there.
func (l *Log) Sync(ctx context.Context) (saved bool, err error) {
	if err = l.queue.flush(ctx); err == nil {
		err = l.link.call(ctx, func(sink journal.LogSink) (err error) { saved, err = saveAll(ctx, sink); return err })
	}
	return saved, err
}

// Announce prints a marker as Marker does, but does not wait for ever: a console that has stalled must not decide what
// the system does. A marker that could not be printed in time is a warning.
func (l *Log) Announce(ctx context.Context, line string) {
	ctx, cancel := context.WithTimeout(ctx, announcePatience)
	defer cancel()
	if err := l.Marker(ctx, line); err != nil {
		l.Warn("cannot print marker", "marker", line, "error", err)
	}
}

// announcePatience bounds the wait for the console.
const announcePatience = 2 * time.Second

// Refused records that a peer broke the protocol and lost its connection for it, by the name that whoever made the
// connection gave it.
func (l *Log) Refused(peer string, reason guard.Reason) {
	l.Warn("peer broke protocol", "peer", peer, "reason", string(reason))
}

// Close sends what is still waiting, for at most one second, and ends the log: what is said afterwards is lost, a
// marker is refused. A second call has no effect.
func (l *Log) Close() {
	l.queue.close()
	patience := time.NewTimer(closePatience)
	defer patience.Stop()
	select {
	case <-l.over:
	case <-patience.C:
	}
	l.cancel()
}
