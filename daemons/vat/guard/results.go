package guard

import (
	"fmt"

	"capnproto.org/go/capnp/v3"
	rpccp "capnproto.org/go/capnp/v3/std/capnp/rpc"
)

// maxPlaces bounds the capabilities in one answer that later calls may address.
const maxPlaces = 1024

// returns ends a question of the peer. Messages that wait for the answer go on before any that the peer sends after
// it has seen the answer.
func (out departure) returns() error {
	ret, err := out.m.Return()
	if err != nil {
		return err
	}
	a := out.answers.known[ret.AnswerId()]
	if a == nil || a.stage == returned {
		return fmt.Errorf("cannot return question %d: not open", ret.AnswerId())
	}
	ret.SetAnswerId(a.wire)
	wasFull := out.answers.full()
	a.stage = returned
	out.answers.returned++
	if !a.boot {
		out.answers.computing--
		out.answers.callBytes -= a.callBytes
	}
	out.pace.move()
	a.cancelled = a.cancelled && a.held == nil // otherwise the Finish follows now, as far as the library knows
	if err := out.results(a, ret); err != nil {
		return err
	}
	if a.cancelled {
		delete(out.answers.asked, a.wire)
		out.answers.drop(a)
	}
	if out.answers.unfinished() && out.pace.stuck.IsZero() {
		out.pace.interrupt() // the time for the peer to finish starts
	}
	if a.users > 0 {
		out.queue.relane(a)
	}
	if a.users > 0 || wasFull {
		out.admit()
	}
	return out.finishHeld(a)
}

// finishHeld handles the Finish that was held back until the Return.
func (out departure) finishHeld(a *answer) error {
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
	return out.finishReturned(a, a.held, fin)
}

// results records what later messages may address in the results.
func (out departure) results(a *answer, ret rpccp.Return) error {
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
	if !results.HasCapTable() && size > firstPart && !a.cancelled {
		out.finishBulk(a)
		return nil
	}
	a.resultBytes = int(size)
	out.answers.resultBytes += a.resultBytes
	if !results.HasCapTable() {
		return nil
	}
	if a.cancelled && a.dropResults { // the library has already taken these back
		granted, err := out.grant(results)
		if err == nil {
			out.exports.ungrant(granted)
		}
		return err
	}
	if a.exports, err = out.grant(results); err != nil || a.cancelled {
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

// finishBulk finishes an answer that is large and has no capabilities: no later message can use it, so the library need
// not keep it until the peer's Finish. A peer with this library waits a quarter of a second with that.
func (out departure) finishBulk(a *answer) {
	out.pass(finishMessage(a.id))
	a.ours = true
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
