package chaos_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"nexus/daemons/world"
	"nexus/libupdates/updatestest"
)

// A worldFlow is what operators want of a whole system.
type worldFlow struct {
	name  string
	bad   bool // whether the set on trial must never be confirmed
	twice bool // every command is given twice
	want  func(*system) error
}

// A mishap is what happens at which message.
type mishap struct {
	edge edge
	fate fate
}

// A fate is what becomes of a message and of those at its ends.
type fate string

const (
	senderDies   fate = "sender"   // right behind it
	receiverDies fate = "receiver" // and it is not delivered
	lost         fate = "lost"     // an operator's connection ends before it is delivered
	late         fate = "late"     // an operator's: the clock is wound by lateness before it is delivered
)

// lateness is longer than any pause of a daemon, and shorter than the deadline of a trial.
const lateness = 5 * time.Second

// fates are those that a message may have. Only operators are far away: what they say may be lost or late.
func (e edge) fates() []fate {
	if e.from == world.OperatorName {
		return []fate{senderDies, receiverDies, lost, late}
	}
	return []fate{senderDies, receiverDies}
}

// An edge is one message on its way.
type edge struct {
	facet, from, to string
	number          int
}

func (e edge) String() string { return fmt.Sprintf("%s:%s>%s#%d", e.facet, e.from, e.to, e.number) }

func (m mishap) String() string { return fmt.Sprintf("edge=%s,fate=%s", m.edge, m.fate) }

// questions is how many messages of one kind between an operator and updated are edges of their own. What comes after
// is the same question again and again, while an operator waits: how often depends on the machine.
const questions = 60

// counts tells whether an edge is one to die at.
func (e edge) counts() bool {
	return e.number <= questions || (e.facet != "Operator" && e.facet != "UpdateStatus")
}

// countBoot counts the messages before an operator came.
func countBoot(edges []edge) int {
	n := slices.IndexFunc(edges, func(e edge) bool { return e.from == world.OperatorName })
	return max(n, 0)
}

// parseMishap reads a mishap as a failure prints it, with its flow.
func parseMishap(text string) (f worldFlow, m mishap, err error) {
	for _, field := range strings.Split(text, ",") {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "flow":
			i := slices.IndexFunc(worldFlows(), func(f worldFlow) bool { return f.name == value })
			if i < 0 {
				return f, m, fmt.Errorf("cannot replay %q: there is no such flow", text)
			}
			f = worldFlows()[i]
		case "edge":
			ends, number, _ := strings.Cut(value, "#")
			facet, rest, _ := strings.Cut(ends, ":")
			from, to, _ := strings.Cut(rest, ">")
			m.edge = edge{facet: facet, from: from, to: to}
			m.edge.number, err = strconv.Atoi(number)
		case "fate":
			m.fate = fate(value)
		}
		if err != nil {
			return f, m, fmt.Errorf("cannot replay %q: %w", text, err)
		}
	}
	if !slices.Contains(m.edge.fates(), m.fate) {
		return f, m, fmt.Errorf("cannot replay %q: there is no such fate", text)
	}
	return f, m, nil
}

// A system is one world with a flow that goes on in it, and one mishap on the way.
type system struct {
	w        *world.World
	archives map[string][]byte
	flow     worldFlow
	plan     *mishap     // nil: nothing happens, or not any more
	now      world.State // after the last update

	mu      sync.Mutex
	edges   []edge
	quiet   bool // the flow is over: what follows is not listened to
	fired   bool
	down    bool              // the death of initd took everything, and nobody has started it again
	deaths  int               // of everything
	all     []*world.Operator // of all persons
	winding chan struct{}     // closed when the clock need not be wound any more
}

// newSystem boots a world with the factory set, confirmed, and listens from then on.
func newSystem(t testing.TB, archives map[string][]byte, f worldFlow, plan *mishap) *system {
	s := &system{w: world.New(t), archives: archives, flow: f, plan: plan, winding: make(chan struct{})}
	t.Cleanup(func() { close(s.winding) })
	s.w.Listen(s.tap)
	s.w.Start(s.archives[factory], updatestest.Key(1).Public())
	t.Cleanup(s.leave)
	return s
}

// tap counts the messages and brings the mishap.
func (s *system) tap(m world.Message) (deliver bool) {
	e := edge{m.Facet, m.From, m.To, m.Number}
	s.mu.Lock()
	if !s.quiet && e.counts() {
		s.edges = append(s.edges, e)
	}
	plan := s.plan
	now := plan != nil && !s.fired && e == plan.edge
	if now {
		s.fired = true
	}
	s.mu.Unlock()
	if !now {
		return true
	}
	switch plan.fate {
	case receiverDies:
		s.end(e.to, m)
		return false
	case lost:
		s.end(e.from, m)
		return false
	case late:
		at := s.w.Clock.After(lateness)
		go s.wind()
		<-at
	default:
		go s.end(e.from, m) // right behind its last message
	}
	return true
}

// end ends whoever is at an end of the message, and has the clock wound from then on, so that pauses pass. Of several
// operators it is the one whose link the message is on.
func (s *system) end(victim string, m world.Message) {
	switch victim {
	case world.OperatorName:
		m.Cut()
	case world.InitName:
		s.w.End(victim)
		s.mu.Lock()
		s.down = true
		s.deaths++
		s.mu.Unlock()
	default:
		s.w.End(victim)
	}
	go s.wind()
}

// wind lets time pass, twice as fast as it does: pauses pass, and a trial that is under way gets its chance on a busy
// machine too.
func (s *system) wind() {
	for {
		s.w.Clock.Wind(moment)
		select {
		case <-s.winding:
			return
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// revive starts the system again after everything died.
func (s *system) revive() {
	s.mu.Lock()
	down := s.down
	s.down = false
	s.mu.Unlock()
	if !down {
		return
	}
	s.w.Stop()
	s.w.Start(s.archives[factory], updatestest.Key(1).Public())
}

func (s *system) connected(o *world.Operator) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, o)
}

// leave ends all connections of operators.
func (s *system) leave() {
	s.mu.Lock()
	all := s.all
	s.mu.Unlock()
	for _, o := range all {
		o.Close()
	}
}

// crashes counts the deaths of everything.
func (s *system) crashes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deaths
}

// twice gives a command, and once more where the flow says so. The second answer does not count.
func (s *system) twice(do func() error) error {
	err := do()
	if s.flow.twice {
		do()
	}
	return err
}
