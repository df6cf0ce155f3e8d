package guard

import (
	"errors"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"
)

// A Guard is the codec of one connection. Decode is for one goroutine, Encode for another, Close and Idle for any.
type Guard struct {
	stream   Stream
	patience patience
	observe  func(Reason)
	files    *Files // nil: the peer may not send any
	forwards bool   // what the peer calls is on another connection

	// For Decode's goroutine alone.
	framer  framer
	checker checker

	out   *writer
	moved chan struct{} // something left the tables
	over  chan struct{} // closed at the end
	close func()        // closes it

	mu       sync.Mutex // for all below
	refused  error      // why the connection was ended
	answered bool       // The library has been told.
	left     bool       // The library has closed the connection.
	ready    []*capnp.Message
	waiting  []*item      // in the order in which they came
	lanes    map[lane]int // how many of the waiting are in each
	outbox   []*capnp.Message
	flushing bool

	asked     map[uint32]*answer // by the peer's id; its open questions
	answers   map[uint32]*answer // by the library's id; what the library has not forgotten
	questions map[uint32]*question
	exports   map[uint32]*export
	imports   map[uint32]uint32 // the library's import id to the peer's export id
	held      map[uint32]int    // how many imports there are of each of the peer's exports
	promised  map[uint32]bool   // the peer's promises that are not resolved; false: given up by us
	late      []uint32          // those given up, oldest first
	embargoes map[uint32]bool   // ours, that the peer has not answered

	lastAnswer  uint32
	lastImport  uint32
	computing   int // calls that the library has and has not returned
	bootstraps  int // not finished
	returned    int // answers not finished
	others      int // returns and disembargoes among the waiting
	callBytes   int
	resultBytes int
	abandoned   int // our questions finished and not returned

	greeted  bool
	reading  bool
	deadline time.Time // the stream's, for reads
	frame    time.Time // when the frame began that is being read
	stuck    time.Time // since when nothing has moved at a bound
	heard    time.Time // when the last message came
}

// An Option changes what New makes.
type Option func(*Guard)

// Observe has f told the reason when the peer is refused, once, from a goroutine of the connection. It must not block.
func Observe(f func(Reason)) Option { return func(g *Guard) { g.observe = f } }

// Greet refuses a peer that is silent for GreetTimeout from the beginning.
func Greet() Option { return func(g *Guard) { g.patience.greet = GreetTimeout } }

// Forwards is for a connection whose calls the library passes on to another one. A call that its peer gives up counts
// as under way until it has returned there, also when this connection has ended: else a caller who gives up again and
// again would have the other peer look like one that never returns.
func Forwards() Option { return func(g *Guard) { g.forwards = true } }

// New guards a stream, which it takes over.
func New(stream Stream, options ...Option) *Guard {
	g := &Guard{
		stream:    stream,
		patience:  patience{frame: FrameTimeout, write: WriteTimeout, stall: StallTimeout},
		observe:   func(Reason) {},
		moved:     make(chan struct{}, 1),
		over:      make(chan struct{}),
		lanes:     map[lane]int{},
		asked:     map[uint32]*answer{},
		answers:   map[uint32]*answer{},
		questions: map[uint32]*question{},
		exports:   map[uint32]*export{},
		imports:   map[uint32]uint32{},
		held:      map[uint32]int{},
		promised:  map[uint32]bool{},
		embargoes: map[uint32]bool{},
		heard:     time.Now(),
	}
	for _, o := range options {
		o(g)
	}
	g.close = sync.OnceFunc(func() { close(g.over); g.files.close() })
	g.out = newWriter(stream, g.patience.write, func(err error) { g.end(unread(err)) })
	go g.out.run(g.over)
	g.framer = framer{stream: (*reader)(g), ahead: make([]byte, readAhead)}
	return g
}

// Close ends the connection; reads and writes under way fail. What was already said reaches the peer, if it reads.
func (g *Guard) Close() error {
	g.mu.Lock()
	g.left = true
	g.move()
	g.mu.Unlock()
	return g.HangUp()
}

// HangUp is Close for whoever is not the library, which ends once it has heard of it: on a connection that forwards,
// after the calls under way have returned.
func (g *Guard) HangUp() error {
	g.close()
	g.out.drain(closeTimeout)
	return g.stream.Close()
}

// Outlives tells whether the library may outlive the connection: see HangUp.
func (g *Guard) Outlives() bool { return g.forwards }

// Idle tells since when the peer has said nothing, and whether it has anything under way: a call, or a capability
// beside the bootstrap.
func (g *Guard) Idle() (since time.Time, busy bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.heard, g.computing+len(g.waiting) > 0 || len(g.exports) > 1
}

// Decode returns the next message that the library may see. An error ends the connection; it is a *Refusal where the
// peer broke the protocol.
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

// take returns a message that is ready for the library.
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

// answerForPeer answers our questions in place of a peer that has gone. The library would do it only after every method
// that it runs has returned, among them those that wait for such an answer.
func (g *Guard) answerForPeer() {
	g.ready = nil
	for id, q := range g.questions {
		if !q.returned {
			g.pass(goneMessage(id))
		}
	}
	for _, it := range g.waiting {
		if it.call == nil && it.target == nil {
			g.pass(goneMessage(it.question))
		}
	}
	g.waiting = nil // nobody is there for what they would answer
}

// lingers tells whether the connection has ended, and the library does not know it yet because calls are still under
// way.
func (g *Guard) lingers() bool { return g.forwards && g.refused != nil && !g.left && g.computing > 0 }

// step reads and judges one frame, or waits until one may be read.
func (g *Guard) step() error {
	g.mu.Lock()
	lingers := g.lingers()
	g.mu.Unlock()
	if lingers {
		<-g.moved
		return nil
	}
	if g.choked() {
		return g.awaitRoom()
	}
	f, err := g.framer.next()
	switch {
	case err == nil:
		return g.receive(f)
	case errors.Is(err, errWoken):
		return nil
	case late(err):
		return g.overdue()
	default:
		return err
	}
}

// receive judges a frame.
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
	g.greeted, g.frame, g.heard = true, time.Time{}, time.Now()
	return g.judge(msg, f.size)
}

// readLimit is how many bytes of a message of that size may be read, counting again what is read again.
func readLimit(size int) uint64 { return uint64(readFactor*size + 1<<16) }

// pass gives the library a message.
func (g *Guard) pass(msg *capnp.Message) { g.ready = append(g.ready, msg) }

// end closes the connection. Where its peer was refused, it is told why, as far as it listens.
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

// abort tells the peer the reason, unless a write is under way.
func (g *Guard) abort(refusal *Refusal) {
	msg := abortMessage(refusal.Error())
	defer msg.Release()
	g.out.last(msg, abortTimeout)
}
