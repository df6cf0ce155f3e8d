package guard

import (
	"errors"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"
)

// A Guard is the codec of one connection. One goroutine may call Decode and another Encode; Close and Idle are safe for
// any.
type Guard struct {
	stream  Stream
	observe func(Reason)
	files   *Files // nil: the peer may not send descriptors
	budget  *Budget
	until   func() bool // nil: it forwards to no other connection that could end
	relays  bool        // the peer calls capabilities that are on other connections

	// Used only by Decode's goroutine.
	framer  framer
	checker checker

	out   *writer
	over  chan struct{} // closed when the connection ends
	close func()        // closes over

	mu       sync.Mutex // guards everything below
	refused  error      // why the connection ended
	answered bool       // the library has been told about the end
	left     bool       // the library has closed the connection
	state
}

// An Option configures a Guard.
type Option func(*Guard)

// Observe registers f to be called with the reason when the peer is refused. f is called once, from a goroutine of the
// connection, and must not block.
func Observe(f func(Reason)) Option { return func(g *Guard) { g.observe = f } }

// Greet refuses a peer that sends nothing for GreetTimeout after it has connected.
func Greet() Option { return func(g *Guard) { g.pace.patience.greet = GreetTimeout } }

// Forwards is for connections whose calls are forwarded to another connection. A call that the peer gives up still
// counts as in flight until it has returned there, even if this connection has ended. Otherwise a caller that keeps
// giving up calls would make the other peer look like one that never returns.
func Forwards() Option { return func(g *Guard) { g.forwards = true } }

// Until is for connections whose calls are forwarded to another one, which is over once that says so. A call that fails
// then ends this connection in place of an answer: its client must not ask here again.
func Until(over func() bool) Option { return func(g *Guard) { g.until = over } }

// Relays is for connections whose peer is given capabilities that are on other connections. A call that fails because
// one of those has ended fails as disconnected; the library forgets that where it could not even send the call.
func Relays() Option { return func(g *Guard) { g.relays = true } }

// New returns a guard for the stream, which it takes over.
func New(stream Stream, options ...Option) *Guard {
	g := &Guard{stream: stream, observe: func(Reason) {}, over: make(chan struct{})}
	g.state = state{
		exports:   exports{},
		imports:   newImports(),
		answers:   answers{asked: map[uint32]*answer{}, known: map[uint32]*answer{}},
		questions: questions{open: map[uint32]*question{}, embargoes: map[uint32]bool{}},
		queue:     queue{lanes: map[lane]int{}},
		pace: pace{
			patience: patience{frame: FrameTimeout, write: WriteTimeout, stall: StallTimeout},
			stream:   stream, moved: make(chan struct{}, 1), heard: time.Now(),
		},
		flush: g.flushOutbox,
	}
	for _, o := range options {
		o(g)
	}
	g.close = sync.OnceFunc(func() { close(g.over); g.files.close() })
	g.out = newWriter(stream, g.pace.patience.write, func(err error) { g.end(unread(err)) })
	go g.out.run(g.over)
	g.framer = framer{stream: (*reader)(g), ahead: make([]byte, readAhead)}
	return g
}

// Close ends the connection; reads and writes in progress fail. What was already sent still reaches a peer that reads.
func (g *Guard) Close() error {
	g.mu.Lock()
	g.left = true
	g.pace.move()
	g.mu.Unlock()
	return g.HangUp()
}

// HangUp is Close for callers other than the library. The library ends once it notices: on a forwarding connection,
// that is after the calls in flight have returned.
func (g *Guard) HangUp() error {
	g.close()
	g.out.drain(closeTimeout)
	return g.stream.Close()
}

// Ended reports whether the connection has ended. It does so before any call has failed because of that.
func (g *Guard) Ended() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.over:
		return true
	default:
		return g.refused != nil
	}
}

// Outlives reports whether the library may outlive the connection; see HangUp.
func (g *Guard) Outlives() bool { return g.forwards }

// Idle returns when the peer last sent a message, and whether the peer is busy: it has a call in flight, or holds a
// capability besides the bootstrap.
func (g *Guard) Idle() (since time.Time, busy bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pace.heard, g.answers.computing+len(g.queue.items) > 0 || len(g.exports) > 1
}

// Decode returns the next message for the library. An error ends the connection; it is a *Refusal if the peer broke the
// protocol.
func (g *Guard) Decode() (*capnp.Message, error) {
	for {
		if msg, err := g.take(); msg != nil || err != nil {
			return msg, err
		}
		if err := g.step(); err != nil {
			g.end(err)
		}
	}
}

// take returns the next message that is ready for the library.
func (g *Guard) take() (*capnp.Message, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refused != nil && !g.answered {
		g.answered = true
		g.answerForPeer()
	}
	if len(g.ready) == 0 {
		if g.lingers() {
			return nil, nil
		}
		return nil, g.refused
	}
	msg := g.ready[0]
	g.ready[0] = nil
	g.ready = g.ready[1:]
	return msg, nil
}

// answerForPeer answers our open questions on behalf of a peer that has gone. The library would answer them only after
// all its running methods have returned, including those that wait for such an answer.
func (g *Guard) answerForPeer() {
	g.ready = nil
	for id, q := range g.questions.open {
		if !q.returned {
			g.pass(goneMessage(id))
		}
	}
	for _, it := range g.queue.items {
		if it.call == nil && it.target == nil {
			g.pass(goneMessage(it.question))
		}
	}
	g.queue.items = nil // their answers have no receiver any more
}

// lingers reports whether the connection has ended without the library's knowledge, because calls are still in flight.
func (g *Guard) lingers() bool {
	return g.forwards && g.refused != nil && !g.left && g.answers.computing > 0
}

// step reads and judges one frame, or waits until reading is allowed.
func (g *Guard) step() error {
	g.mu.Lock()
	lingers := g.lingers()
	g.mu.Unlock()
	if lingers {
		<-g.pace.moved
		return nil
	}
	if g.choked() {
		return g.awaitRoom()
	}
	f, err := g.framer.next()
	switch {
	case err == nil:
		g.budget.Spend(1, g.over)
		return g.receive(f)
	case errors.Is(err, errWoken):
		return nil
	case late(err):
		return g.overdue()
	default:
		return err
	}
}

// receive judges one frame.
func (g *Guard) receive(f frame) error {
	if err := g.checker.check(f.segments); err != nil {
		return err
	}
	msg, _, err := capnp.NewMessage(f.arena())
	if err != nil {
		return err
	}
	msg.DepthLimit = MaxDepth + 1
	msg.ResetReadLimit(readLimit(f.size))
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pace.arrived()
	return g.judge(msg, f.size)
}

// readLimit returns the read limit for a message of size bytes, in bytes; bytes that are read twice count twice.
func readLimit(size int) uint64 { return uint64(readFactor*size + 1<<16) }

// end closes the connection. A refused peer is first told the reason, if it reads.
func (g *Guard) end(err error) error {
	g.mu.Lock()
	first := g.refused == nil
	if first {
		g.refused = err
	}
	err = g.refused
	g.mu.Unlock()
	var refusal *Refusal
	if first && errors.As(err, &refusal) {
		g.observe(refusal.Reason)
		g.abort(refusal)
	}
	g.HangUp()
	return err
}

// abort sends the peer the reason, unless a write is in progress.
func (g *Guard) abort(refusal *Refusal) {
	msg := abortMessage(refusal.Error())
	defer msg.Release()
	g.out.last(msg, abortTimeout)
}
