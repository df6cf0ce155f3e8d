package supervise

import (
	"testing"
	"testing/synctest"
	"time"

	"nexus/daemons/logclient"
	"nexus/daemons/vat"
)

// looping is a supervisor with the loops of two daemons.
func looping() *Supervisor {
	s := New(Config{Log: logclient.New("initd", vat.NewHolding("LogSink"))})
	for _, name := range []string{"one", "two"} {
		s.children = append(s.children, newChild(s, Spec{Name: name}, nil))
	}
	return s
}

// loop turns until it is told to stand still.
func loop(c *child, stand <-chan struct{}) {
	for {
		select {
		case <-c.turn:
		case <-stand:
			return
		}
	}
}

// Daemons make progress while all their loops turn; one that has ended for good keeps nobody from it.
func TestTurns(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(*Supervisor)
		want bool
	}{
		{"a loop that stands", func(*Supervisor) {}, false},
		{"a daemon that has ended", func(s *Supervisor) { close(s.children[1].gone) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := looping()
				stand, never := make(chan struct{}), make(chan struct{})
				go loop(s.children[0], never)
				go loop(s.children[1], stand)
				if !s.Turns(t.Context(), time.After(time.Second)) {
					t.Error("no progress while all loops turn")
				}
				close(stand)
				synctest.Wait()
				c.then(s)
				if got := s.Turns(t.Context(), time.After(time.Second)); got != c.want {
					t.Errorf("progress: %t", got)
				}
				close(never)
				s.Log.Close()
			})
		})
	}
}

// A lock that is never given back is no progress either.
func TestAKeptLockIsNoProgress(t *testing.T) {
	s := looping()
	defer s.Log.Close()
	s.children = nil
	s.mu.Lock()
	turned := make(chan bool, 1)
	go func() { turned <- s.Turns(t.Context(), nil) }()
	select {
	case <-turned:
		s.mu.Unlock()
		t.Fatal("daemons make progress whose lock nobody gets")
	case <-time.After(100 * time.Millisecond): // it could have had it by then
	}
	s.mu.Unlock()
	<-turned
}
