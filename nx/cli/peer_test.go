package cli_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/keystore"
	"nexus/capnpgen/operator"
	"nexus/capnpgen/update"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
	"nexus/nx/cli"
)

// patience ends a wait that hangs.
const patience = 5 * time.Minute

// A peer is a system as nx sees it: an Operator on a real control socket, and behind it a state that the test sets.
type peer struct {
	t   *testing.T
	dir string

	conns    chan *vat.Conn // as they come
	listener net.Listener

	stopping atomic.Bool // an end was ordered before

	mu        sync.Mutex
	state     peerState
	refuse    map[string][2]string // method: reason and detail of its refusal
	underWay  bool                 // somebody stages
	older     bool                 // it knows of no facet that can only stage
	tacit     bool                 // its last reports are overtaken by its answer
	withheld  bool                 // it does not give that facet
	sick      bool                 // what runs after a rollback does not become healthy
	held      [][]byte             // digests of the payloads that it holds
	refuseAt  int                  // a write that brings the stage to so many bytes is refused; 0: none
	received  bytes.Buffer
	found     [2]string   // reason and detail of what a check of slot b finds
	onSwitch  func(*peer) // what becomes of a trial
	onWrite   func(*peer) // at each write
	observers map[*peerSubscription]update.StatusObserver
	followed  chan struct{} // one per observer
	discarded chan struct{} // one per stage that ended without done
	times     [2]int64      // of the history's events
	since     string        // from when on records were asked for last
}

// A peerState is the state of the peer; tell publishes a new one.
type peerState struct {
	active, pending, staged bootrecord.Slot
	tries                   uint8
	healthy, persistent     bool
	boot                    uint64
	sets                    map[bootrecord.Slot]peerSet
	quarantine              []peerRollback
	floor                   string
	damage                  string // of slot b
	last                    *peerRollback
	cause                   bootrecord.BootCause
	abrupt                  uint8
	pauseMs                 uint32
	machine                 bool   // it has a machine of its own
	noWatchdog              string // why that has no watchdog
	proven                  bool   // its watchdog was seen to work
	keys                    trust.Anchors
	roots                   []roots.Signed
	seen                    uint64 // the time that was attested, in milliseconds since 1970 UTC
	policy                  string
	asks                    []string // what the bundle asks for
}

type peerSet struct {
	version string
	digest  byte // repeated 32 times
	good    bool
	bundles []string
	kept    bool   // its payloads are verified by the kernel
	unkept  string // why not
}

type peerRollback struct {
	reason, detail, version string
	digest                  byte
}

// digest is one of 32 such bytes, or none.
func digest(b byte) []byte {
	if b == 0 {
		return nil
	}
	return bytes.Repeat([]byte{b}, 32)
}

// startPeer serves an operator until the test ends.
func startPeer(t *testing.T) *peer {
	t.Helper()
	p := &peer{
		t: t, dir: t.TempDir(), conns: make(chan *vat.Conn, 16), refuse: map[string][2]string{},
		observers: map[*peerSubscription]update.StatusObserver{},
		followed:  make(chan struct{}, 64), discarded: make(chan struct{}, 16),
		state: peerState{
			active: bootrecord.Slot_a, healthy: true, boot: 1,
			sets: map[bootrecord.Slot]peerSet{
				bootrecord.Slot_a: {version: "1.0.0", digest: 0xaa, good: true, bundles: []string{"hello"}},
			},
		},
	}
	listener, err := plat.ListenPrivate(filepath.Join(p.dir, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	p.listener = listener
	go p.serve(listener)
	return p
}

func (p *peer) serve(listener net.Listener) {
	for {
		socket, err := listener.Accept()
		if err != nil {
			return
		}
		conn := vat.Connect(socket, capnp.Client(operator.Operator_ServerToClient(&peerOperator{p})))
		p.t.Cleanup(conn.Close)
		p.conns <- conn
	}
}

// set prepares the peer.
func (p *peer) set(f func(p *peer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

// will returns what the test has set to happen, if it did.
func (p *peer) will(what func(p *peer) func(*peer)) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := what(p); f != nil {
		return func() { f(p) }
	}
	return func() {}
}

// refuses makes a method refuse.
func (p *peer) refuses(method, reason, detail string) {
	p.set(func(p *peer) { p.refuse[method] = [2]string{reason, detail} })
}

// An outcome is what one run of the command left behind.
type outcome struct {
	status         int
	stdout, stderr string
}

// nx runs the command against the peer.
func (p *peer) nx(args ...string) outcome {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	return run(ctx, append([]string{"--dir", p.dir}, args...)...)
}

func run(ctx context.Context, args ...string) outcome {
	return runOn(ctx, cli.Host{}, args...)
}

// runOn is run on a host that is not like the others.
func runOn(ctx context.Context, host cli.Host, args ...string) outcome {
	var stdout, stderr lockedBuffer
	if host.Stdout == nil {
		host.Stdout = &stdout
	}
	status := cli.Run(ctx, args, cli.Host{
		Stdin: host.Stdin, Stdout: host.Stdout, Stderr: &stderr, Asks: host.Asks,
		Getenv:     func(string) string { return "" },
		Executable: func() (string, error) { return "", errors.New("no executable") },
		Exec:       func(string, []string, []string) error { return errors.New("no exec") },
	})
	return outcome{status, stdout.String(), stderr.String()}
}

// A lockedBuffer may be written to by the goroutines of a run.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (o outcome) want(t *testing.T, status int, stdout, stderr string) {
	t.Helper()
	if o.status != status {
		t.Errorf("exit status %d, want %d", o.status, status)
	}
	if o.stdout != stdout {
		t.Errorf("stdout:\n%s\nwant:\n%s", o.stdout, stdout)
	}
	if o.stderr != stderr {
		t.Errorf("stderr:\n%s\nwant:\n%s", o.stderr, stderr)
	}
}

// change sets the state and tells all observers.
func (p *peer) change(f func(*peerState)) {
	p.mu.Lock()
	f(&p.state)
	var observers []update.StatusObserver
	for _, o := range p.observers {
		observers = append(observers, o.AddRef())
	}
	p.mu.Unlock()
	for _, o := range observers {
		p.tell(o)
	}
}

// tell takes the observer over.
func (p *peer) tell(observer update.StatusObserver) {
	defer observer.Release()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, release := observer.OnChanged(ctx, func(params update.StatusObserver_onChanged_Params) error {
		m, err := params.NewStatus()
		if err != nil {
			return err
		}
		return p.fill(m)
	})
	defer release()
	answer.Struct() // an observer that is gone has seen enough
}

// forget lets all observers go, as updated does when it dies.
func (p *peer) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s, o := range p.observers {
		o.Release()
		delete(p.observers, s)
	}
}

func (p *peer) fill(m update.Status) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state
	m.SetActive(s.active)
	m.SetPending(s.pending)
	m.SetStaged(s.staged)
	m.SetTriesLeft(s.tries)
	m.SetHealthOk(s.healthy)
	m.SetBootCause(s.cause)
	m.SetAbruptEnds(s.abrupt)
	m.SetPauseMs(s.pauseMs)
	m.SetPersistent(s.persistent)
	m.SetBoot(s.boot)
	if err := m.SetVersionFloor(s.floor); err != nil {
		return err
	}
	a, errA := m.NewSlotA()
	b, errB := m.NewSlotB()
	staged, errStaged := m.NewStagedSet()
	quarantine, errQ := m.NewQuarantine(int32(len(s.quarantine)))
	if err := errors.Join(errA, errB, errStaged, errQ); err != nil {
		return err
	}
	for i, q := range s.quarantine {
		at := quarantine.At(i)
		if err := errors.Join(at.SetIndexSha256(digest(q.digest)), at.SetSystemVersion(q.version),
			at.SetReason(q.reason)); err != nil {
			return err
		}
	}
	if s.last != nil {
		last, err := m.NewLastRollback()
		if err != nil {
			return err
		}
		if err := errors.Join(last.SetReason(s.last.reason), last.SetDetail(s.last.detail),
			last.SetIndexSha256(digest(s.last.digest)), last.SetSystemVersion(s.last.version)); err != nil {
			return err
		}
	}
	return errors.Join(s.sets[bootrecord.Slot_a].fill(a), s.sets[bootrecord.Slot_b].fill(b),
		s.sets[bootrecord.Slot_staged].fill(staged), s.hurt(b))
}

// hurt shows the damage in slot b, if there is any.
func (s peerState) hurt(b update.SlotStatus) error {
	if s.damage == "" {
		return nil
	}
	content, err := b.Content()
	if err != nil {
		return err
	}
	return content.SetDamage(s.damage)
}

func (s peerSet) fill(m update.SlotStatus) error {
	if s.version == "" {
		return nil
	}
	content, err := m.NewContent()
	if err != nil {
		return err
	}
	content.SetGood(s.good)
	m.SetKept(s.kept)
	return errors.Join(m.SetUnkept(s.unkept), content.SetIndexSha256(digest(s.digest)),
		content.SetSystemVersion(s.version), s.fillBundles(m.NewBundles))
}

func (s peerSet) fillBundles(make func(int32) (update.BundleRef_List, error)) error {
	list, err := make(int32(len(s.bundles)))
	if err != nil {
		return err
	}
	for i, name := range s.bundles {
		if err := errors.Join(list.At(i).SetName(name), list.At(i).SetVersion(s.version)); err != nil {
			return err
		}
	}
	return nil
}

// refused fills the refusal the test set for a method, if it did.
func (p *peer) refused(method string, make func() (keystore.Refusal, error)) (bool, error) {
	p.mu.Lock()
	why, refused := p.refuse[method]
	p.mu.Unlock()
	if !refused {
		return false, nil
	}
	r, err := make()
	if err != nil {
		return true, err
	}
	return true, errors.Join(r.SetReason(why[0]), r.SetDetail(why[1]))
}
