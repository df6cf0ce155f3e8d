package guard

import (
	"errors"
	"net"
	"time"
)

// errWoken ends a read because a message is ready for the library.
var errWoken = errors.New("woken")

// A reader is the guard's view of the stream. It sets the deadline of each read from the state of the connection.
type reader Guard

func (r *reader) Read(p []byte) (int, error) {
	g := (*Guard)(r)
	if err := g.arm(); err != nil {
		return 0, err
	}
	n, err := g.read(p)
	g.mu.Lock()
	g.reading = false
	g.mu.Unlock()
	return n, err
}

// arm prepares a read, unless a message is ready.
func (g *Guard) arm() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refused != nil {
		return g.refused
	}
	if len(g.ready) > 0 {
		return errWoken
	}
	if g.frame.IsZero() && !g.framer.idle() {
		g.frame = time.Now()
	}
	at, _ := g.due()
	if !at.Equal(g.deadline) {
		if err := g.stream.SetReadDeadline(at); err != nil {
			return err
		}
		g.deadline = at
	}
	g.reading = true
	return nil
}

// wake ends a read in progress if something is ready for the library.
func (g *Guard) wake() {
	if len(g.ready) > 0 {
		g.interrupt()
	}
}

// interrupt ends a read in progress, so that the next one gets the current deadline.
func (g *Guard) interrupt() {
	if g.reading {
		g.deadline = time.Unix(1, 0)
		g.stream.SetReadDeadline(g.deadline)
	}
}

// due returns when the peer is to be refused if nothing arrives before, and why. The zero time means never.
func (g *Guard) due() (at time.Time, reason Reason) {
	sooner := func(t time.Time, r Reason) {
		if at.IsZero() || t.Before(at) {
			at, reason = t, r
		}
	}
	if !g.greeted && g.patience.greet > 0 {
		sooner(g.heard.Add(g.patience.greet), Silent)
	}
	if !g.frame.IsZero() {
		sooner(g.frame.Add(g.patience.frame), SlowFrame)
	}
	if g.overAnswers() {
		sooner(g.stuckSince().Add(g.patience.stall), AnswersUnfinished)
	}
	return at, reason
}

// overdue handles an expired read deadline: the peer is late, or the reader was woken.
func (g *Guard) overdue() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.ready) > 0 {
		return nil
	}
	if at, reason := g.due(); !at.IsZero() && !time.Now().Before(at) {
		return refuse(reason)
	}
	return nil
}

// full reports whether no further call may be computed.
func (g *Guard) full() bool { return g.computing >= MaxCalls || g.overAnswers() }

func (g *Guard) overAnswers() bool {
	return g.returned >= MaxAnswers || g.resultBytes >= MaxAnswerBytes
}

// choked reports whether nothing more may be read.
func (g *Guard) choked() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.ready) == 0 && g.overCalls()
}

func (g *Guard) overCalls() bool { return len(g.waiting) >= MaxWaiting || g.callBytes >= MaxCallBytes }

// stuckSince returns since when nothing has moved.
func (g *Guard) stuckSince() time.Time {
	if g.stuck.IsZero() {
		g.stuck = time.Now()
	}
	return g.stuck
}

// move records that something was removed from the tables.
func (g *Guard) move() {
	g.stuck = time.Time{}
	select {
	case g.moved <- struct{}{}:
	default:
	}
}

// awaitRoom waits until something is removed from the tables. An honest peer may have to wait there, but not forever: a
// peer whose next message could free the tables, but is stuck behind unread ones, loses its connection.
func (g *Guard) awaitRoom() error {
	g.mu.Lock()
	wait := time.Until(g.stuckSince().Add(g.patience.stall))
	g.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-g.moved:
		return nil
	case <-g.over:
		return net.ErrClosed
	case <-timer.C:
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.stuck.IsZero() || !g.overCalls() {
			return nil
		}
		return refuse(TooManyCalls)
	}
}
