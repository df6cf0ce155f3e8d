package guard

import (
	"errors"
	"net"
	"time"
)

// errWoken ends a read because a message is ready for the library.
var errWoken = errors.New("woken")

// A pace says how long the peer may take. The library waits for a peer that is silent, never finishes a message or
// never makes room for as long as it likes (seen).
type pace struct {
	patience patience
	stream   Stream
	moved    chan struct{} // something was removed from the tables
	greeted  bool
	reading  bool
	deadline time.Time // the stream's read deadline
	frame    time.Time // when the first byte of the current frame arrived
	stuck    time.Time // since when nothing has moved at a bound
	heard    time.Time // when the last message arrived
}

// begin sets the deadline of a read. full says that the peer has to finish answers first.
func (p *pace) begin(full bool) error {
	if at, _ := p.due(full); !at.Equal(p.deadline) {
		if err := p.stream.SetReadDeadline(at); err != nil {
			return err
		}
		p.deadline = at
	}
	p.reading = true
	return nil
}

// interrupt ends a read in progress, so that the next one gets the current deadline.
func (p *pace) interrupt() {
	if p.reading {
		p.deadline = time.Unix(1, 0)
		p.stream.SetReadDeadline(p.deadline)
	}
}

// due returns when the peer is to be refused if nothing arrives before, and why. The zero time means never.
func (p *pace) due(full bool) (at time.Time, reason Reason) {
	sooner := func(t time.Time, r Reason) {
		if at.IsZero() || t.Before(at) {
			at, reason = t, r
		}
	}
	if !p.greeted && p.patience.greet > 0 {
		sooner(p.heard.Add(p.patience.greet), Silent)
	}
	if !p.frame.IsZero() {
		sooner(p.frame.Add(p.patience.frame), SlowFrame)
	}
	if full {
		sooner(p.stuckSince().Add(p.patience.stall), AnswersUnfinished)
	}
	return at, reason
}

// arrived records that a message has arrived whole.
func (p *pace) arrived() { p.greeted, p.frame, p.heard = true, time.Time{}, time.Now() }

// stuckSince returns since when nothing has moved.
func (p *pace) stuckSince() time.Time {
	if p.stuck.IsZero() {
		p.stuck = time.Now()
	}
	return p.stuck
}

// move records that something was removed from the tables.
func (p *pace) move() {
	p.stuck = time.Time{}
	select {
	case p.moved <- struct{}{}:
	default:
	}
}

// A reader is the guard's view of the stream. It sets the deadline of each read from the state of the connection.
type reader Guard

func (r *reader) Read(p []byte) (int, error) {
	if err := r.arm(); err != nil {
		return 0, err
	}
	n, err := r.receive(p)
	r.mu.Lock()
	r.pace.reading = false
	r.mu.Unlock()
	return n, err
}

// arm prepares a read, unless a message is ready.
func (r *reader) arm() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused != nil {
		return r.refused
	}
	if len(r.ready) > 0 {
		return errWoken
	}
	if r.pace.frame.IsZero() && !r.framer.idle() {
		r.pace.frame = time.Now()
	}
	return r.pace.begin(r.answers.unfinished())
}

// wake ends a read in progress if something is ready for the library.
func (g *Guard) wake() {
	if len(g.ready) > 0 {
		g.pace.interrupt()
	}
}

// overdue handles an expired read deadline: the peer is late, or the reader was woken.
func (g *Guard) overdue() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.ready) > 0 {
		return nil
	}
	if at, reason := g.pace.due(g.answers.unfinished()); !at.IsZero() && !time.Now().Before(at) {
		return refuse(reason)
	}
	return nil
}

// choked reports whether nothing more may be read.
func (g *Guard) choked() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.ready) == 0 && g.crowded()
}

// awaitRoom waits until something is removed from the tables. An honest peer may have to wait there, but not forever: a
// peer whose next message could free the tables, but is stuck behind unread ones, loses its connection.
func (g *Guard) awaitRoom() error {
	g.mu.Lock()
	wait := time.Until(g.pace.stuckSince().Add(g.pace.patience.stall))
	g.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-g.pace.moved:
		return nil
	case <-g.over:
		return net.ErrClosed
	case <-timer.C:
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.pace.stuck.IsZero() || !g.crowded() {
			return nil
		}
		return refuse(TooManyCalls)
	}
}
