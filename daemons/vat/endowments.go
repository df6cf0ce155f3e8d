package vat

import (
	"net"
	"os"
	"slices"
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
	resources
	connections
	channel *net.UnixConn
	done    chan struct{}

	mu        sync.Mutex
	servers   map[string]server
	waiting   map[string][]arrival // served links that arrived before their server
	holdings  map[string]*Holding
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

// Endowed starts to receive endowments from the channel, which it takes over.
func Endowed(channel *net.UnixConn) *Endowments {
	done := make(chan struct{})
	b := &Endowments{
		resources:   resources{done: done, slots: map[resource]*slot{}},
		connections: connections{conns: map[*Conn]uint64{}, refused: lastWords},
		channel:     channel,
		done:        done,
		servers:     map[string]server{},
		waiting:     map[string][]arrival{},
		holdings:    map[string]*Holding{},
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
	b.end()
	b.channel.Close()
	<-b.done
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
	early := slices.Clone(b.waiting[facet])
	b.mu.Unlock()
	for _, a := range early { // they go on waiting meanwhile, so that a cut finds them
		b.serve(a, s)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.waiting, facet)
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
		b.put(resource{e.Kind, e.Name}, e.File, e.Grants)
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
