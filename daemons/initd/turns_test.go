package initd

import (
	"io"
	"os"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/initd/links"
	"nexus/daemons/initd/supervise"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// A lock that is never given back is no progress, whichever it is.
func TestAKeptLockIsNoProgress(t *testing.T) {
	for name, keep := range map[string]func(t *testing.T, s *system) (giveBack func()){
		"of the links": keepLinks,
		"of the ways in": func(_ *testing.T, s *system) func() {
			s.ways.mu.Lock()
			return s.ways.mu.Unlock
		},
		"of the ending": func(_ *testing.T, s *system) func() {
			s.ending.mu.Lock()
			return s.ending.mu.Unlock
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSystem(Config{}, plat.Host{Clock: plat.RealClock{}}, nil, io.Discard)
			defer s.log.Close()
			giveBack := keep(t, s)
			turned := make(chan bool, 1)
			go func() { turned <- s.turns(t.Context(), nil) }()
			select {
			case <-turned:
				giveBack()
				t.Fatal("a system makes progress whose lock nobody gets")
			case <-time.After(100 * time.Millisecond): // it could have had it by then
			}
			giveBack()
			if !<-turned {
				t.Error("no progress once the lock is free")
			}
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

// stuck never comes back from a launch.
type stuck struct{ end chan struct{} }

func (l stuck) Launch(string, *os.File, *os.File) (plat.Process, error) {
	<-l.end
	return nil, os.ErrClosed
}

// A daemon's loop that stands is no progress.
func TestALoopThatStandsIsNoProgress(t *testing.T) {
	l := stuck{make(chan struct{})}
	s := newSystem(Config{}, plat.Host{Clock: plat.RealClock{}, Spawner: sweeper{}}, l, io.Discard)
	late := make(chan time.Time)
	close(late)
	if !s.turns(t.Context(), late) {
		t.Error("no progress without daemons")
	}
	s.daemons.Start(t.Context(), supervise.Spec{Name: "logd"})
	if s.turns(t.Context(), late) {
		t.Error("a system makes progress whose loop stands")
	}
	close(l.end)
	s.daemons.Stop(s.log.Close)
}

// limit bounds each wait of these tests.
const limit = 5 * time.Minute

// A sweeper has nothing to sweep.
type sweeper struct{ plat.Spawner }

func (sweeper) Sweep() {}
