package initd

import (
	"context"
	"errors"
	"os"
	"time"

	"nexus/capnpgen/operator"
	"nexus/daemons/convert"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// A gateServer is the OperatorGate capability. remoted says who has proven which key; what the key's holder gets is
// decided here.
type gateServer struct{ s *system }

// Admit serves Operator to the holder of a key.
func (g *gateServer) Admit(_ context.Context, call operator.OperatorGate_admit) error {
	raw, err := call.Args().Key()
	if err != nil {
		return err
	}
	if len(raw) != len(trust.PublicKey{}) {
		return errors.New("cannot admit: a key has 32 bytes")
	}
	address, err := call.Args().Address()
	if err != nil {
		return err
	}
	ticket, err := call.Args().Ticket()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	if err := g.admit(trust.PublicKey(raw), address, ticket); err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return nil
}

func (g *gateServer) admit(key trust.PublicKey, address, ticket string) error {
	way, err := g.s.ways.of(key, g.s.host.Clock.Now())
	if err != nil {
		g.s.log.Warn("operator turned away", "key", key.String(), "address", address, "reason", err.Error())
		return refusal.New(refusal.KeyRefused, "%v", err)
	}
	ours, theirs, err := plat.StreamPair()
	if err != nil {
		return err
	}
	defer ours.Close()
	defer theirs.Close()
	if err := g.s.sendSocket(remoteName, ticket, theirs); err != nil {
		return err
	}
	socket, err := vat.Socket(ours)
	if err != nil {
		return err
	}
	g.s.log.Info("operator comes in", "key", key.String(), "role", way.role.Name, "address", address)
	way.admit(socket, g.s)
	return nil
}

// Why a key is refused.
var (
	errNoOperator  = errors.New("no operator has this key")
	errKeyRevoked  = errors.New("the key was revoked")
	errOperatorEnd = errors.New("the time of the key is over")
)

// of returns the way in of a key.
func (w *ways) of(key trust.PublicKey, now time.Time) (*controlSocket, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.sockets {
		switch {
		case c.remote == nil || c.remote.Key != key:
		case w.isBarred(c):
			return nil, errKeyRevoked
		case c.remote.Over(now):
			return nil, errOperatorEnd
		default:
			return c, nil
		}
	}
	return nil, errNoOperator
}

const (
	// operatorTick is how often the time of keys is looked at.
	operatorTick = 5 * time.Second
	// remoteIdle is how long an operator elsewhere may be connected with nothing under way.
	remoteIdle = 5 * time.Minute
)

// watchOperators ends the connections of operators elsewhere whose time is over, and those that are idle.
func (w *ways) watchOperators(ctx context.Context, clock plat.Clock) {
	for {
		select {
		case <-clock.After(operatorTick):
		case <-ctx.Done():
			return
		}
		w.mu.Lock()
		for _, c := range w.sockets {
			if c.remote != nil {
				c.expire(c.remote.Over(clock.Now()), time.Now().Add(-remoteIdle))
			}
		}
		w.mu.Unlock()
	}
}

// expire closes all connections, or those that have been idle since before a time.
func (c *controlSocket) expire(all bool, before time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		if since, busy := conn.Idle(); all || !busy && since.Before(before) {
			go conn.Close()
		}
	}
}

// connections counts those who are in.
func (c *controlSocket) connections() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.conns)
}

// sendSocket passes a socket to a daemon that asked for one.
func (s *system) sendSocket(daemon, ticket string, socket *os.File) error {
	if channel := s.daemons.Channel(daemon); channel != nil {
		return channel.GrantSocket(ticket, socket)
	}
	return errors.New("cannot give socket: nobody is there to take it")
}

// Operators lists the keys by which operators come in over the network.
func (a *authorityServer) Operators(_ context.Context, call operator.Authority_operators) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	known := a.ways.remote()
	list, err := res.NewOperators(int32(len(known)))
	if err != nil {
		return err
	}
	for i, k := range known {
		o := list.At(i)
		o.SetRevoked(k.revoked)
		o.SetConnections(uint32(k.socket.connections()))
		if until := k.socket.remote.Until; !until.IsZero() {
			o.SetUntilUnixMs(uint64(until.UnixMilli()))
		}
		if err := errors.Join(o.SetKey(k.socket.remote.Key[:]), o.SetRole(k.socket.role.Name)); err != nil {
			return err
		}
	}
	return nil
}

// A remoteWay is the way in of a key.
type remoteWay struct {
	socket  *controlSocket
	revoked bool
}

// remote returns the ways in of keys.
func (w *ways) remote() []remoteWay {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []remoteWay
	for _, c := range w.sockets {
		if c.remote != nil {
			all = append(all, remoteWay{c, w.isBarred(c)})
		}
	}
	return all
}
