package vat

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/endowment"
	"nexus/daemons/vat/guard"
)

// The descriptors on which a process finds its endowment channel. A daemon starts with the three standard descriptors
// and the channel; a bundle also has its connection, on descriptor 3.
const (
	EndowmentFD       = 3
	BundleEndowmentFD = 4
)

// A Client identifies the process at the other end of a served facet. initd sets it.
type Client struct {
	Name   string   // The client's name, which it cannot forge.
	Grants []string // What it may reach through the facet, if the facet has names to grant.

	// For a client from outside, as the audit log names it:
	Connection string   // Which of the connections with its role.
	GivenUp    []string // How its Operator was attenuated: the methods that each step gave up.

	// Hand sends it a copy of an open file with the next answer.
	Hand func(*os.File) error
	// Files are the descriptors it sends beside its calls; nil where ServeFiles does not serve the facet.
	Files *guard.Files
}

// A server serves one facet.
type server struct {
	bootstrap func(Client) capnp.Client // makes the capability that a client gets
	files     bool                      // clients may send descriptors
}

// Endowments holds everything a daemon has been granted and will be granted. Its methods may be called in any order and
// from any goroutine; they wait for what has not arrived yet.
type Endowments struct {
	channel *net.UnixConn
	done    chan struct{}

	mu        sync.Mutex
	servers   map[string]server
	waiting   map[string][]arrival // served links that arrived before their server
	holdings  map[string]*Holding
	resources map[resource]*slot
	conns     map[*Conn]uint64 // the value is the link's number
	refused   func(peer string, reason guard.Reason)
	forwarder Forwarder // nil: nothing is forwarded
	onPing    func()    // nil: pings are answered at once
	onSocket  func(ticket string, socket *os.File)
	asked     bool // onPing is running
}

// An arrival is one served link, as received over the channel.
type arrival struct {
	client Client
	link   uint64
	socket net.Conn
}

// A resource identifies a granted directory, file or setting.
type resource struct {
	kind endowment.Endowment_Kind
	name string
}

// A slot holds a resource once it has arrived. It is filled only once.
type slot struct {
	here  chan struct{}
	once  sync.Once
	file  *os.File
	value []string
}

// Endowed starts to receive endowments from the channel, which it takes over.
func Endowed(channel *net.UnixConn) *Endowments {
	b := &Endowments{
		channel:   channel,
		done:      make(chan struct{}),
		servers:   map[string]server{},
		waiting:   map[string][]arrival{},
		holdings:  map[string]*Holding{},
		resources: map[resource]*slot{},
		conns:     map[*Conn]uint64{},
		refused:   lastWords,
	}
	go b.receive()
	return b
}

// Done is closed when initd has closed the channel, which is the order to stop.
func (b *Endowments) Done() <-chan struct{} { return b.done }

// Ready reports to initd that the daemon has what it needs and serves.
func (b *Endowments) Ready() error {
	return sendReport(b.channel, report{Kind: endowment.Report_Kind_ready})
}

// Close ends all of the daemon's connections, then its channel. When initd closes the channel the connections stay
// open, so that a daemon told to stop can still send its last messages.
func (b *Endowments) Close() {
	b.mu.Lock()
	conns := b.conns
	b.conns = nil
	b.mu.Unlock()
	for c := range conns {
		c.Close()
	}
	b.channel.Close()
	<-b.done
}

// OnRefused registers f to be called for each peer that loses its connection because it broke the protocol. peer is the
// name that initd gave it. f must not block. The default prints a line on standard error, which initd puts into the
// log.
func (b *Endowments) OnRefused(f func(peer string, reason guard.Reason)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused = f
}

// OnSocket registers f to receive listening sockets for bundles, each with the ticket of the call that it answers. f
// takes the socket over and must not block. Without f sockets are closed.
func (b *Endowments) OnSocket(f func(ticket string, socket *os.File)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.onSocket = f
}

// takeSocket passes a listening socket to its handler.
func (b *Endowments) takeSocket(e grant) {
	b.mu.Lock()
	take := b.onSocket
	b.mu.Unlock()
	switch {
	case e.File == nil:
	case take == nil || len(e.Grants) != 1:
		e.File.Close()
	default:
		take(e.Grants[0], e.File)
	}
}

// lastWords reports refusals on standard error, for daemons that have no log.
func lastWords(peer string, reason guard.Reason) {
	fmt.Fprintf(os.Stderr, "peer broke protocol peer=%s reason=%s\n", peer, reason)
}

// watch reports refusals of this peer under its name.
func (b *Endowments) watch(peer string) guard.Option {
	return guard.Observe(func(reason guard.Reason) { b.report(peer, reason) })
}

func (b *Endowments) report(peer string, reason guard.Reason) {
	b.mu.Lock()
	report := b.refused
	b.mu.Unlock()
	report(peer, reason)
}

// Serve calls bootstrap for each client of a facet, to make the capability that it gets. Clients that arrived earlier
// are served now.
func (b *Endowments) Serve(facet string, bootstrap func(Client) capnp.Client) {
	b.serveBy(facet, server{bootstrap: bootstrap})
}

// ServeFiles is Serve for a facet whose clients may send descriptors beside their calls. The sender may be anyone.
func (b *Endowments) ServeFiles(facet string, bootstrap func(Client) capnp.Client) {
	b.serveBy(facet, server{bootstrap: bootstrap, files: true})
}

func (b *Endowments) serveBy(facet string, s server) {
	b.mu.Lock()
	b.servers[facet] = s
	early := b.waiting[facet]
	delete(b.waiting, facet)
	b.mu.Unlock()
	for _, a := range early {
		b.serve(a, s)
	}
}

// Use returns the daemon's holding of a facet, whether or not it has arrived yet.
func (b *Endowments) Use(facet string) *Holding {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.holdings[facet]
	if h == nil {
		h = NewHolding(facet)
		b.holdings[facet] = h
	}
	return h
}

// Dir waits for a granted directory and opens it as a root, so that nothing outside it can be reached.
func (b *Endowments) Dir(ctx context.Context, name string) (*os.Root, error) {
	r, err := b.await(ctx, resource{endowment.Endowment_Kind_dir, name})
	if err != nil {
		return nil, err
	}
	return rootOf(r.file)
}

// File waits for a granted open file.
func (b *Endowments) File(ctx context.Context, name string) (*os.File, error) {
	r, err := b.await(ctx, resource{endowment.Endowment_Kind_file, name})
	if err != nil {
		return nil, err
	}
	return r.file, nil
}

// Given returns a file that may or may not have been granted. It does not wait: initd grants files before directories,
// so once a directory has arrived, so have all files.
func (b *Endowments) Given(name string) (*os.File, bool) {
	s := b.slot(resource{endowment.Endowment_Kind_file, name})
	select {
	case <-s.here:
		return s.file, true
	default:
		return nil, false
	}
}

// Setting waits for the values of a policy setting.
func (b *Endowments) Setting(ctx context.Context, name string) ([]string, error) {
	r, err := b.await(ctx, resource{endowment.Endowment_Kind_setting, name})
	if err != nil {
		return nil, err
	}
	return r.value, nil
}

func (b *Endowments) await(ctx context.Context, key resource) (*slot, error) {
	s := b.slot(key)
	select {
	case <-s.here:
		return s, nil
	case <-b.done:
		return nil, context.Canceled
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (b *Endowments) slot(key resource) *slot {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.resources[key]
	if s == nil {
		s = &slot{here: make(chan struct{})}
		b.resources[key] = s
	}
	return s
}

// receive handles endowments until the channel ends.
func (b *Endowments) receive() {
	defer close(b.done)
	for {
		e, err := receiveEndowment(b.channel)
		if err != nil {
			return
		}
		b.take(e)
	}
}

func (b *Endowments) take(e grant) {
	if e.Onward != "" {
		b.carry(e)
		return
	}
	switch e.Kind {
	case endowment.Endowment_Kind_serve:
		b.takeServe(e)
	case endowment.Endowment_Kind_use:
		b.takeUse(e)
	case endowment.Endowment_Kind_cut:
		b.cut(e.Link)
		if e.Name != "" {
			b.Use(e.Name).revoke()
		}
	case endowment.Endowment_Kind_socket:
		b.takeSocket(e)
	case endowment.Endowment_Kind_ping:
		b.answer()
	default:
		s := b.slot(resource{e.Kind, e.Name})
		s.once.Do(func() {
			s.file, s.value = e.File, e.Grants
			close(s.here)
		})
	}
}

func (b *Endowments) takeServe(e grant) {
	socket, err := socketOf(e.File)
	if err != nil {
		return
	}
	a := arrival{e.client(), e.Link, socket}
	b.mu.Lock()
	s, served := b.servers[e.Name]
	if !served {
		b.waiting[e.Name] = append(b.waiting[e.Name], a)
	}
	b.mu.Unlock()
	if served {
		b.serve(a, s)
	}
}
