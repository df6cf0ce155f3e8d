package initd

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/initd/links"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// looping is a system with the loops of two daemons.
func looping() *system {
	s := newSystem(Config{}, plat.Host{Clock: plat.RealClock{}}, nil, io.Discard)
	for _, name := range []string{"one", "two"} {
		s.order = append(s.order, &child{row: Daemon{Name: name}, turn: make(chan struct{}), gone: make(chan struct{})})
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

// A system makes progress while all its loops turn; one that has ended for good keeps nobody from it.
func TestTurns(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(*system)
		want bool
	}{
		{"a loop that stands", func(*system) {}, false},
		{"a daemon that has ended", func(s *system) { close(s.order[1].gone) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := looping()
				stand, never := make(chan struct{}), make(chan struct{})
				go loop(s.order[0], never)
				go loop(s.order[1], stand)
				if !s.turns(t.Context(), time.After(time.Second)) {
					t.Error("no progress while all loops turn")
				}
				close(stand)
				synctest.Wait()
				c.then(s)
				if got := s.turns(t.Context(), time.After(time.Second)); got != c.want {
					t.Errorf("progress: %t", got)
				}
				close(never)
				s.log.Close()
			})
		})
	}
}

// A lock that is never given back is no progress either.
func TestAKeptLockIsNoProgress(t *testing.T) {
	for name, keep := range map[string]func(t *testing.T, s *system) (giveBack func()){
		"of the daemons": func(_ *testing.T, s *system) func() {
			s.mu.Lock()
			return s.mu.Unlock
		},
		"of the links": keepLinks,
	} {
		t.Run(name, func(t *testing.T) {
			s := looping()
			defer s.log.Close()
			s.order = nil
			giveBack := keep(t, s)
			turned := make(chan bool, 1)
			go func() { turned <- s.turns(t.Context(), nil) }()
			select {
			case <-turned:
				t.Error("a system makes progress whose lock nobody gets")
			case <-time.After(100 * time.Millisecond): // it could have had it by then
			}
			giveBack()
			<-turned
		})
	}
}

// keepLinks has the links stop in the middle of linking a daemon with this process.
func keepLinks(t *testing.T, s *system) (giveBack func()) {
	ours, theirs, err := plat.PacketPair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	channel, err := vat.ChannelOf(ours)
	if err != nil {
		t.Fatal(err)
	}
	parent := vat.NewParent(channel)
	t.Cleanup(parent.Close)
	held, free := make(chan struct{}), make(chan struct{})
	s.links = links.New(links.Config{
		Table: []links.Row{{Name: "samgrd", Holds: []links.Edge{{Facet: "Introducer", From: links.Self}}}},
		Clock: plat.RealClock{},
		Serve: func(string) capnp.Client {
			close(held)
			<-free
			return capnp.Client{}
		},
	})
	go s.links.Endow("samgrd", parent)
	<-held
	return func() { close(free) }
}
