package links

import (
	"os"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/logclient"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

// ends are what can be at the end of a link now: daemons, by their endowment channels, and in this process initd itself
// and the sessions of clients from outside, by their holdings.
type ends struct {
	channels map[string]*vat.Parent // of the daemons that run
	sessions map[string]*Session    // of clients from outside, by their names as holders
	own      map[string]*vat.Holding
	serve    func(facet string) capnp.Client // what initd itself serves
	log      *logclient.Log
	ended    func(holder string, ended vat.Ended) // called when a link of this process has ended
}

func (e *ends) alive(name string) bool {
	if name == Self || e.sessions[name] != nil {
		return true
	}
	daemon, _ := by(name)
	return e.channels[daemon] != nil
}

// ownEnd reports whether that end of a link is in this process.
func ownEnd(name string) bool { return name == Self || name == Operators || isSession(name) }

// grantServe gives the provider its end. If that is initd, it serves at once.
func (e *ends) grantServe(l *link, client vat.Client, socket *os.File) error {
	if l.edge.From != Self {
		daemon, onward := by(l.edge.From)
		return e.channels[daemon].PassServe(onward, l.edge.Facet, client, l.number, socket)
	}
	conn, err := e.connect(client.Name, socket, e.serve(l.edge.Facet))
	l.own = conn
	return err
}

// grantUse gives the holder its end. For initd and sessions that fills a holding in this process.
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

// holdingOf returns the holding in this process that a link fills; nil if the holder is a daemon.
func (e *ends) holdingOf(holder, facet string) *vat.Holding {
	if o := e.sessions[holder]; o != nil {
		return o.holdings[facet]
	}
	if holder == Self {
		return e.own[facet]
	}
	return nil
}

// connect speaks RPC with a daemon over a copy of the socket, which the caller keeps.
func (e *ends) connect(peer string, socket *os.File, bootstrap capnp.Client) (*vat.Conn, error) {
	copied, err := vat.Socket(socket)
	if err != nil {
		bootstrap.Release()
		return nil, err
	}
	refused := func(reason guard.Reason) { e.log.Refused(peer, reason) }
	return vat.Connect(copied, bootstrap, guard.Observe(refused)), nil
}

// cut has a daemon close its end of a link, whether it holds that for itself or for a bundle.
func (e *ends) cut(end string, number uint64) error {
	if ownEnd(end) || !e.alive(end) {
		return nil
	}
	daemon, _ := by(end)
	return e.channels[daemon].Cut(number)
}
