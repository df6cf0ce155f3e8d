package guard

import (
	"errors"
	"net"
	"strings"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/rpc"
	rpccp "capnproto.org/go/capnp/v3/std/capnp/rpc"
)

// errSwallow marks a message of the library that the peer must not see.
var errSwallow = errors.New("not for the peer")

// Encode records what a message of the library changes, and writes it. A late or failed write ends the connection,
// because the library would otherwise go on writing to a torn stream. Encode returns no error for a question that has
// been recorded: answerForPeer fails it with a Return, and the library would reject it a second time.
func (g *Guard) Encode(msg *capnp.Message) error {
	m, err := rpccp.ReadRootMessage(msg)
	if err != nil {
		return g.end(err)
	}
	if g.until != nil && fails(m) && g.until() {
		g.end(net.ErrClosed)
	}
	if g.relays && fails(m) {
		sayDisconnected(m)
	}
	alone, err := g.note(m)
	switch {
	case errors.Is(err, errSwallow):
		return nil
	case err != nil:
		g.end(err)
		return err
	}
	if err := g.write(msg, alone); err != nil && !asks(m) {
		return err
	}
	return nil
}

// asks reports whether a message of the library is a question.
func asks(m rpccp.Message) bool {
	return m.Which() == rpccp.Message_Which_call || m.Which() == rpccp.Message_Which_bootstrap
}

// fails reports whether a message of the library is the failure of a call.
func fails(m rpccp.Message) bool {
	if m.Which() != rpccp.Message_Which_return {
		return false
	}
	ret, err := m.Return()
	return err == nil && ret.Which() == rpccp.Return_Which_exception
}

// sayDisconnected gives the failure of a call for which there was no connection any more its kind.
func sayDisconnected(m rpccp.Message) {
	ret, err := m.Return()
	if err != nil {
		return
	}
	e, err := ret.Exception()
	if err != nil || e.Type() != rpccp.Exception_Type_failed {
		return
	}
	if why, err := e.Reason(); err == nil && gone(why) {
		e.SetType(rpccp.Exception_Type_disconnected)
	}
}

// gone reports whether these are the library's words for a call whose connection had ended: before the call was sent,
// or while it was written to a socket that had just been closed.
func gone(why string) bool {
	return strings.HasSuffix(why, rpc.ExcClosed.Error()) || strings.Contains(why, "stream transport: send: write ")
}

// write writes one message. Unless now is set, it may wait to be written together with others.
func (g *Guard) write(msg *capnp.Message, now bool) error {
	err := g.out.add(msg, now)
	if err != nil {
		g.end(unread(err))
	}
	return err
}

// unread returns a refusal if the peer left a message unread, or else the stream's error.
func unread(err error) error {
	if late(err) {
		return refuse(NeverReads)
	}
	return err
}

// note updates the tables for a message that is about to be written, and replaces the library's ids by the peer's.
// alone reports whether the sender waits for this message while nothing else is in flight on the connection.
func (g *Guard) note(m rpccp.Message) (alone bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lingers() && !asks(m) {
		if m.Which() == rpccp.Message_Which_return {
			err = g.state.note(m)
		}
		return false, errors.Join(err, errSwallow)
	}
	if g.refused != nil && (g.answered || !asks(m)) {
		// The same error as from a closed socket, so that the caller sees a disconnect.
		return false, &net.OpError{Op: "write", Net: "rpc", Err: g.refused}
	}
	defer g.wake()
	err = g.state.note(m)
	awaited := asks(m) || m.Which() == rpccp.Message_Which_return
	return awaited && len(g.questions.open) <= 1 && g.answers.computing == 0 && len(g.queue.items) == 0, err
}

// flushOutbox writes the guard's own messages until none are left.
func (g *Guard) flushOutbox() {
	for {
		g.mu.Lock()
		if len(g.outbox) == 0 || g.refused != nil {
			g.flushing = false
			g.outbox = nil
			g.mu.Unlock()
			return
		}
		msg := g.outbox[0]
		g.outbox = g.outbox[1:]
		g.mu.Unlock()
		g.write(msg, false)
		msg.Release()
	}
}

// note updates the state for a message of the library.
func (s *state) note(m rpccp.Message) error {
	out := departure{s, m}
	switch m.Which() {
	case rpccp.Message_Which_bootstrap:
		boot, err := m.Bootstrap()
		if err == nil {
			s.questions.open[boot.QuestionId()] = &question{}
		}
		return err
	case rpccp.Message_Which_call:
		return out.call()
	case rpccp.Message_Which_return:
		return out.returns()
	case rpccp.Message_Which_finish:
		return out.finish()
	case rpccp.Message_Which_release:
		return out.release()
	case rpccp.Message_Which_resolve:
		return out.resolve()
	case rpccp.Message_Which_disembargo:
		return out.disembargo()
	default:
		return nil
	}
}

// A departure is one message of the library.
type departure struct {
	*state
	m rpccp.Message
}

func (out departure) call() error {
	call, err := out.m.Call()
	if err != nil {
		return err
	}
	target, err := call.Target()
	if err != nil {
		return err
	}
	out.translate(target)
	params, err := call.Params()
	if err != nil {
		return err
	}
	granted, err := out.grant(params)
	if err != nil {
		return err
	}
	out.questions.open[call.QuestionId()] = &question{exports: granted}
	return nil
}

// translate replaces the library's ids in a target by the peer's.
func (out departure) translate(target rpccp.MessageTarget) {
	if target.Which() == rpccp.MessageTarget_Which_importedCap {
		if wire, known := out.imports.wire[target.ImportedCap()]; known {
			target.SetImportedCap(wire)
		}
	}
}

// grant counts our capabilities that parameters or results give to the peer, and returns their ids. An unresolved
// promise is passed as a capability that we host.
func (out departure) grant(p rpccp.Payload) ([]uint32, error) {
	table, err := p.CapTable()
	if err != nil {
		return nil, err
	}
	var granted []uint32
	for i := range table.Len() {
		d := table.At(i)
		switch d.Which() {
		case rpccp.CapDescriptor_Which_senderPromise:
			d.SetSenderHosted(d.SenderPromise())
			fallthrough
		case rpccp.CapDescriptor_Which_senderHosted:
			granted = append(granted, d.SenderHosted())
		case rpccp.CapDescriptor_Which_receiverHosted:
			if wire, known := out.imports.wire[d.ReceiverHosted()]; known {
				d.SetReceiverHosted(wire)
			}
		}
	}
	return granted, out.exports.grant(granted)
}

func (out departure) finish() error {
	fin, err := out.m.Finish()
	if err != nil {
		return err
	}
	q := out.questions.open[fin.QuestionId()]
	if q == nil {
		return nil
	}
	if q.dropped = fin.ReleaseResultCaps(); q.dropped {
		for _, local := range q.imports {
			out.imports.forget(local)
		}
	}
	return out.questions.finish(fin.QuestionId(), q, out.forwards)
}

// release passes on the release of one of the peer's capabilities. A reference that the guard no longer has is not
// released again.
func (out departure) release() error {
	rel, err := out.m.Release()
	if err != nil {
		return err
	}
	wire, known := out.imports.forget(rel.Id())
	if !known {
		return errSwallow
	}
	rel.SetId(wire)
	return nil
}

// resolve swallows the Resolve of a promise, because the peer was told that it is a hosted capability. The library
// gets back the references that it counted for the Resolve.
func (out departure) resolve() error {
	res, err := out.m.Resolve()
	if err != nil {
		return err
	}
	if res.Which() != rpccp.Resolve_Which_cap {
		return errSwallow
	}
	d, err := res.Cap()
	if err != nil {
		return err
	}
	switch d.Which() {
	case rpccp.CapDescriptor_Which_senderHosted:
		out.pass(releaseMessage(d.SenderHosted(), 1))
	case rpccp.CapDescriptor_Which_senderPromise:
		out.pass(releaseMessage(d.SenderPromise(), 1))
	}
	return errSwallow
}

func (out departure) disembargo() error {
	d, err := out.m.Disembargo()
	if err != nil {
		return err
	}
	target, err := d.Target()
	if err != nil {
		return err
	}
	out.translate(target)
	if d.Context().Which() == rpccp.Disembargo_context_Which_senderLoopback {
		out.questions.embargoes[d.Context().SenderLoopback()] = true
	}
	return nil
}
