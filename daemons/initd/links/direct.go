package links

import (
	"context"
	"errors"
	"fmt"
	"os"

	"capnproto.org/go/capnp/v3/exc"

	"nexus/daemons/vat/guard"
)

// maxDirect bounds the direct links of a session (schema/operator.capnp).
const maxDirect = 4

// Direct links the session's peer with the daemon of a facet, so that calls do not pass through initd. It returns the
// peer's end, which the caller closes. The link lasts until it is cut, or the session or the daemon ends; it is not
// made again.
func (o *Session) Direct(ctx context.Context, facet string) (end *os.File, cut func(), err error) {
	d, err := o.begin(facet)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, handOutPatience)
	defer cancel()
	select {
	case end := <-d.out:
		return end, d.End, nil
	case <-ctx.Done():
		d.End()
		return nil, nil, ctx.Err()
	}
}

// begin makes the holder of a direct link. It is linked now if the daemon runs, or else at its next start.
func (o *Session) begin(facet string) (*Session, error) {
	o.links.mu.Lock()
	defer o.links.mu.Unlock()
	f := &o.links.fabric
	edge, granted := f.rights.table.edge(Operators, facet)
	o, err := o.holder()
	switch {
	case err != nil:
		return nil, err
	case o.holdings == nil:
		return nil, errors.New("cannot make link: the connection has ended")
	case !granted:
		return nil, fmt.Errorf("cannot make link: nobody serves %s", facet)
	case len(o.direct) >= maxDirect:
		return nil, exc.New(exc.Overloaded, "", fmt.Sprintf("too many open links: the limit is %d", maxDirect))
	case f.ends.behind(edge.From):
		return nil, fmt.Errorf("cannot make link: %s does not read its channel", edge.From)
	}
	d := o.links.open(o.role, o.has)
	d.parent, d.out = o, make(chan *os.File, 1)
	d.connection, d.givenUp = o.connection, o.givenUp
	o.direct[d] = struct{}{}
	f.introduced[d.name] = []Edge{edge}
	if err := f.link(d.name, edge); err != nil {
		f.end(d)
		return nil, err
	}
	return d, nil
}

// behind reports whether a daemon has left so much unread that it gets no more links to clients from outside.
func (e *ends) behind(daemon string) bool {
	channel := e.channels[daemon]
	return channel != nil && channel.Behind()
}

// leadsOut reports whether a link's holder is a session's peer.
func (e *ends) leadsOut(holder string) bool {
	return e.sessions[holder] != nil && e.sessions[holder].out != nil
}

// sendOut gives the holder's end of a direct link to Direct, which waits for it. There is one such link per holder.
func (e *ends) sendOut(holder string, socket *os.File) error {
	end, err := guard.Duplicate(socket)
	if err == nil {
		e.sessions[holder].out <- end
	}
	return err
}
