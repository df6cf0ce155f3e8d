package links

import (
	"os"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/logclient"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

// ends are those that can be at an end of a link now: daemons, by the channels over which they are endowed, and in this
// process initd itself and those outside, by what they hold here.
type ends struct {
	channels map[string]*vat.Parent // of the daemons that run
	sessions map[string]*Session    // of those outside, by their names as holders
	own      map[string]*vat.Holding
	serve    func(facet string) capnp.Client // what initd itself serves
	log      *logclient.Log
	ended    func(holder string, ended vat.Ended) // is told when a link that ends in this process has ended
}

func (e *ends) alive(name string) bool {
	if name == Self || e.sessions[name] != nil {
		return true
	}
	daemon, _ := by(name)
	return e.channels[daemon] != nil
}

// ownEnd reports whether initd itself is at that end of a link.
func ownEnd(name string) bool { return name == Self || name == Operators || isSession(name) }

// grantServe gives the provider its end. What initd itself serves it serves at once.
func (e *ends) grantServe(l *link, client vat.Client, socket *os.File) error {
	if l.edge.From != Self {
		daemon, onward := by(l.edge.From)
		return e.channels[daemon].PassServe(onward, l.edge.Facet, client, l.number, socket)
	}
	conn, err := e.connect(client.Name, socket, e.serve(l.edge.Facet))
	l.own = conn
	return err
}

// grantUse gives the holder its end. What initd itself holds, or those outside, goes into holdings here.
func (e *ends) grantUse(holder string, l *link, socket *os.File) error {
	if e.leadsOut(holder) {
		return e.sendOut(holder, socket)
	}
	holding := e.holdingOf(holder, l.edge.Facet)
	if holding == nil {
		daemon, onward := by(holder)
		return e.channels[daemon].PassUse(onward, l.edge.Facet, l.edge.From, l.number, socket)
	}
	conn, err := e.connect(l.edge.From, socket, capnp.Client{})
	if err != nil {
		return err
	}
	holding.Renew(conn)
	l.own = conn
	go func() {
		<-conn.Done()
		e.ended(holder, vat.Ended{Facet: l.edge.Facet, Link: l.number})
	}()
	return nil
}

// holdingOf is where a link that ends in this process puts what it leads to; nil for a link of another holder.
func (e *ends) holdingOf(holder, facet string) *vat.Holding {
	if o := e.sessions[holder]; o != nil {
		return o.holdings[facet]
	}
	if holder == Self {
		return e.own[facet]
	}
	return nil
}

// connect speaks RPC with a daemon over a copy of the socket; the caller keeps its own.
func (e *ends) connect(peer string, socket *os.File, bootstrap capnp.Client) (*vat.Conn, error) {
	copied, err := vat.Socket(socket)
	if err != nil {
		bootstrap.Release()
		return nil, err
	}
	refused := func(reason guard.Reason) { e.log.Refused(peer, reason) }
	return vat.Connect(copied, bootstrap, guard.Observe(refused)), nil
}

// cut has a daemon that is at an end of a link, for itself or for a bundle, close it.
func (e *ends) cut(end string, number uint64) error {
	if ownEnd(end) || !e.alive(end) {
		return nil
	}
	daemon, _ := by(end)
	return e.channels[daemon].Cut(number)
}
