package chaos_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"nexus/daemons/vat"
	"nexus/daemons/world"
	"nexus/libupdates/updatestest"
	"nexus/selftest/kit"
)

// A worldFlow is what operators do to a whole system.
type worldFlow struct {
	name  string
	bad   bool                // whether the set on trial must not be confirmed
	twice bool                // each command is given twice
	core  bool                // its sets carry a core, which starts everything again
	first func(*system) error // brings the system to where the flow begins, undisturbed; nil: it begins with the boot
	want  func(*system) error
}

// A mishap is a fate for one message.
type mishap struct {
	edge edge
	fate fate
}

// A fate is what happens to a message, or to its sender or receiver.
type fate string

const (
	senderDies   fate = "sender"   // right after it was sent
	receiverDies fate = "receiver" // and it is not delivered
	lost         fate = "lost"     // for operators: the connection ends before it is delivered
	late         fate = "late"     // for operators: the clock is wound by lateness before it is delivered
)

// lateness is longer than any pause of a daemon and shorter than the deadline of a trial.
const lateness = 5 * time.Second

// fates returns the possible fates of a message. Only operators are remote, so only their messages can be lost or late.
func (e edge) fates() []fate {
	if e.from == world.OperatorName {
		return []fate{senderDies, receiverDies, lost, late}
	}
	return []fate{senderDies, receiverDies}
}

// An edge is one message in transit.
type edge struct {
	facet, from, to string
	number          int
}

func (e edge) String() string { return fmt.Sprintf("%s:%s>%s#%d", e.facet, e.from, e.to, e.number) }

func (m mishap) String() string { return fmt.Sprintf("edge=%s,fate=%s", m.edge, m.fate) }

// questions bounds the messages of one kind by which an operator asks for a state that count as edges. Later ones
// repeat the same query while an operator waits, and their number depends on the machine.
const questions = 60

// counts reports whether faults are tried at this edge.
func (e edge) counts() bool {
	asking := slices.Contains([]string{"Operator", "UpdateStatus", "AppInstaller", "ServiceWatch"}, e.facet)
	return !asking || e.number <= questions
}

// countBoot returns the number of messages before an operator connects.
func countBoot(edges []edge) int {
	n := slices.IndexFunc(edges, func(e edge) bool { return e.from == world.OperatorName })
	return max(n, 0)
}

// parseMishap parses a mishap and its flow, as printed by a failure.
func parseMishap(text string) (f worldFlow, m mishap, err error) {
	for _, field := range strings.Split(text, ",") {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "flow":
			i := slices.IndexFunc(worldFlows(), func(f worldFlow) bool { return f.name == value })
			if i < 0 {
				return f, m, fmt.Errorf("cannot replay %q: unknown flow", text)
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
		return f, m, fmt.Errorf("cannot replay %q: unknown fate", text)
	}
	return f, m, nil
}

// A system is one world that runs a flow, with one mishap.
type system struct {
	w        *world.World
	archives map[string][]byte
	flow     worldFlow
	plan     *mishap     // nil: no mishap, or none any more
	now      world.State // after the last update

	mu        sync.Mutex
	edges     []edge
	counted   map[edge]int // messages by their kind, an edge without a number
	quiet     bool         // the flow has not begun, or has completed: messages are not counted
	fired     bool
	down      bool              // initd died, and the system has not been started again
	steady    *vat.Conn         // of the service that no set changes, at the first switch
	deaths    int               // number of deaths of the whole system
	restarted bool              // execd died, or everything: all services were started again
	all       []*world.Operator // of all persons
	winding   chan struct{}     // closed when the clock no longer has to be wound
}

// newSystem boots a world with a confirmed factory set, and then starts to listen.
func newSystem(t testing.TB, archives map[string][]byte, f worldFlow, plan *mishap) *system {
	s := &system{w: world.New(t), archives: archives, flow: f, plan: plan, counted: map[edge]int{},
		quiet: f.first != nil, winding: make(chan struct{})}
	t.Cleanup(func() { close(s.winding) })
	s.w.Listen(s.tap)
	s.w.TrustForApps(updatestest.Key(1).Public())
	s.w.Start(s.archives[factory], updatestest.Key(1).Public())
	t.Cleanup(s.leave)
	if f.first != nil {
		kit.Must(t, f.first(s))
		s.mu.Lock()
		defer s.mu.Unlock()
		s.quiet = false
	}
	return s
}

// tap counts the messages and triggers the mishap.
func (s *system) tap(m world.Message) (deliver bool) {
	s.mu.Lock()
	if s.quiet {
		s.mu.Unlock()
		return true
	}
	e := edge{facet: m.Facet, from: m.From, to: m.To}
	s.counted[e]++
	e.number = s.counted[e]
	if e.counts() {
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
		go s.end(e.from, m) // right after its last message
	}
	return true
}

// end kills the process at one end of the message, and then winds the clock, so that pauses end. If several operators
// are connected, the one on the message's link is disconnected.
func (s *system) end(victim string, m world.Message) {
	switch victim {
	case world.OperatorName:
		m.Cut()
	case world.InitName:
		s.w.End(victim)
		s.mu.Lock()
		s.down, s.restarted = true, true
		s.deaths++
		s.mu.Unlock()
	default:
		s.mu.Lock()
		s.restarted = s.restarted || victim == "execd"
		s.mu.Unlock()
		s.w.End(victim)
	}
	go s.wind()
}

// wind lets the clock run at twice the real speed: pauses end, and a trial in progress still has enough time on a busy
// machine.
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

// whileWinding gives a command that waits for others, whose pauses have to end.
func (s *system) whileWinding(do func() error) error {
	done := make(chan error, 1)
	go func() { done <- s.twice(do) }()
	for {
		s.w.Clock.Wind(moment)
		select {
		case err := <-done:
			return err
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// beforeSwitch notes the service that no set changes, if it is healthy.
func (s *system) beforeSwitch(now world.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.steady == nil && resting(now) {
		s.steady = s.w.ConnOf(steady)
	}
}

// revive starts the system again after all of it has died.
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

// leave closes all connections of operators.
func (s *system) leave() {
	s.mu.Lock()
	all := s.all
	s.mu.Unlock()
	for _, o := range all {
		o.Close()
	}
}

// crashes returns the number of deaths of the whole system.
func (s *system) crashes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deaths
}

// twice gives a command, and again if the flow says so. The second result does not count.
func (s *system) twice(do func() error) error {
	err := do()
	if s.flow.twice {
		do()
	}
	return err
}
