package guard

import (
	"fmt"

	"capnproto.org/go/capnp/v3"
	rpccp "capnproto.org/go/capnp/v3/std/capnp/rpc"
)

// maxPlaces bounds the capabilities in one answer that later calls may address.
const maxPlaces = 1024

// noteReturn ends a question of the peer. Messages that wait for the answer go on before any that the peer sends after
// it has seen the answer.
func (g *Guard) noteReturn(m rpccp.Message) error {
	ret, err := m.Return()
	if err != nil {
		return err
	}
	a := g.answers[ret.AnswerId()]
	if a == nil || a.stage == returned {
		return fmt.Errorf("cannot return question %d: not open", ret.AnswerId())
	}
	ret.SetAnswerId(a.wire)
	wasFull := g.full()
	a.stage = returned
	g.returned++
	if !a.boot {
		g.computing--
		g.callBytes -= a.callBytes
	}
	g.move()
	a.cancelled = a.cancelled && a.held == nil // otherwise the Finish follows now, as far as the library knows
	if err := g.noteResults(a, ret); err != nil {
		return err
	}
	if a.cancelled {
		delete(g.asked, a.wire)
		g.drop(a)
	}
	if g.overAnswers() && g.stuck.IsZero() {
		g.interrupt() // the time for the peer to finish starts
	}
	if a.users > 0 {
		g.relane(a)
	}
	if a.users > 0 || wasFull {
		g.admit()
	}
	return g.finishHeld(a)
}

// finishHeld handles the Finish that was held back until the Return.
func (g *Guard) finishHeld(a *answer) error {
	if a.held == nil {
		return nil
	}
	m, err := rpccp.ReadRootMessage(a.held)
	if err != nil {
		return err
	}
	fin, err := m.Finish()
	if err != nil {
		return err
	}
	return g.finishReturned(a, a.held, fin)
}

// noteResults records what later messages may address in the results.
func (g *Guard) noteResults(a *answer, ret rpccp.Return) error {
	if ret.Which() != rpccp.Return_Which_results {
		a.failed = true
		return nil
	}
	results, err := ret.Results()
	if err != nil {
		return err
	}
	size, err := ret.Message().TotalSize()
	if err != nil {
		return err
	}
	a.resultBytes = int(size)
	g.resultBytes += a.resultBytes
	if !results.HasCapTable() {
		return nil
	}
	if a.cancelled && a.dropResults { // the library has already taken these back
		return g.translateResults(results)
	}
	if a.exports, err = g.grant(results); err != nil || a.cancelled {
		return err
	}
	table, err := results.CapTable()
	if err != nil {
		return err
	}
	content, err := results.Content()
	if err != nil {
		return err
	}
	a.places = places(nil, content, table, nil)
	return nil
}

// translateResults replaces the library's ids in the capability descriptors of results by the peer's, without counting
// references.
func (g *Guard) translateResults(results rpccp.Payload) error {
	granted, err := g.grant(results)
	if err != nil {
		return err
	}
	for _, id := range granted {
		e := g.exports[id]
		e.refs--
		g.tidy(id, e)
	}
	return nil
}

// places finds the capabilities that a transform can reach: those in structs within structs.
func places(found []place, p capnp.Ptr, table rpccp.CapDescriptor_List, path []uint16) []place {
	if i := p.Interface(); i.IsValid() {
		return addPlace(found, i, table, path)
	}
	s := p.Struct()
	if !s.IsValid() || len(path) == MaxTransform {
		return found
	}
	for field := range s.Size().PointerCount {
		if sub, err := s.Ptr(field); err == nil && sub.IsValid() && len(found) < maxPlaces {
			found = places(found, sub, table, append(path[:len(path):len(path)], field))
		}
	}
	return found
}

func addPlace(found []place, i capnp.Interface, table rpccp.CapDescriptor_List, path []uint16) []place {
	if int64(i.Capability()) >= int64(table.Len()) {
		return found
	}
	p := place{fields: path}
	switch d := table.At(int(i.Capability())); d.Which() {
	case rpccp.CapDescriptor_Which_none:
		return found
	case rpccp.CapDescriptor_Which_senderHosted:
		p.export, p.ours = d.SenderHosted(), true
	case rpccp.CapDescriptor_Which_receiverHosted, rpccp.CapDescriptor_Which_receiverAnswer:
		p.returned = true
	}
	return append(found, p)
}
