package guard

import (
	"capnproto.org/go/capnp/v3"
	rpccp "capnproto.org/go/capnp/v3/std/capnp/rpc"
)

// judge checks one message of the peer, whose pointers have been checked already, and queues what the library may see
// of it.
func (g *Guard) judge(msg *capnp.Message, size int) error {
	m, err := rpccp.ReadRootMessage(msg)
	if err != nil || !whole(capnp.Struct(m)) {
		return refuse(Malformed)
	}
	if len(g.outbox) >= maxOutbox {
		return refuse(NeverReads)
	}
	switch m.Which() {
	case rpccp.Message_Which_abort:
		g.pass(msg)
		return nil
	case rpccp.Message_Which_bootstrap:
		return g.judgeBootstrap(msg, m)
	case rpccp.Message_Which_call:
		return g.judgeCall(msg, m, size)
	case rpccp.Message_Which_return:
		return g.judgeReturn(msg, m, size)
	case rpccp.Message_Which_finish:
		return g.judgeFinish(msg, m)
	case rpccp.Message_Which_release:
		return g.judgeRelease(msg, m)
	case rpccp.Message_Which_resolve:
		return g.judgeResolve(m)
	case rpccp.Message_Which_disembargo:
		return g.judgeDisembargo(msg, m, size)
	case rpccp.Message_Which_unimplemented:
		return refuse(Unimplemented)
	case rpccp.Message_Which_provide, rpccp.Message_Which_accept, rpccp.Message_Which_join,
		rpccp.Message_Which_thirdPartyAnswer:
		return refuse(ThirdParty)
	default:
		return refuse(UnknownMessage)
	}
}

// whole reports whether s is present with the first word of its data. That word holds ids and kinds, which the guard
// rewrites in place.
func whole(s capnp.Struct) bool { return s.IsValid() && s.Size().DataSize >= wordSize }

func (g *Guard) judgeBootstrap(msg *capnp.Message, m rpccp.Message) error {
	boot, err := m.Bootstrap()
	if err != nil || !whole(capnp.Struct(boot)) {
		return refuse(Malformed)
	}
	if g.bootstraps >= MaxBootstraps {
		return refuse(TooManyBootstraps)
	}
	a, err := g.open(boot.QuestionId())
	if err != nil {
		return err
	}
	a.boot, a.stage = true, computing
	g.bootstraps++
	boot.SetQuestionId(a.id)
	g.pass(msg)
	return nil
}

func (g *Guard) judgeCall(msg *capnp.Message, m rpccp.Message, size int) error {
	call, err := m.Call()
	if err != nil || !whole(capnp.Struct(call)) {
		return refuse(Malformed)
	}
	switch call.SendResultsTo().Which() {
	case rpccp.Call_sendResultsTo_Which_caller:
	case rpccp.Call_sendResultsTo_Which_thirdParty:
		return refuse(ThirdParty)
	default:
		return refuse(ResultsElsewhere)
	}
	it := &item{msg: msg, size: size}
	target, err := call.Target()
	if err != nil {
		return refuse(Malformed)
	}
	// The target and parameters are read before the question is opened, because they must not refer to it.
	if err := g.readTarget(it, target); err != nil {
		return err
	}
	params, err := call.Params()
	if err != nil {
		return refuse(Malformed)
	}
	if err := g.readPayload(it, params); err != nil {
		return err
	}
	if it.call, err = g.open(call.QuestionId()); err != nil {
		return err
	}
	call.SetQuestionId(it.call.id)
	it.call.callBytes = size
	g.callBytes += size
	g.submit(it)
	return nil
}

func (g *Guard) judgeReturn(msg *capnp.Message, m rpccp.Message, size int) error {
	ret, err := m.Return()
	if err != nil || !whole(capnp.Struct(ret)) {
		return refuse(Malformed)
	}
	q := g.questions[ret.AnswerId()]
	if q == nil || q.returned {
		return refuse(BadAnswerID)
	}
	it := &item{msg: msg, size: size, question: ret.AnswerId()}
	switch ret.Which() {
	case rpccp.Return_Which_results:
		results, err := ret.Results()
		if err != nil {
			return refuse(Malformed)
		}
		if err := g.readPayload(it, results); err != nil {
			return err
		}
	case rpccp.Return_Which_exception:
		if e, err := ret.Exception(); err != nil || !e.IsValid() {
			return refuse(Malformed)
		}
	case rpccp.Return_Which_canceled:
	case rpccp.Return_Which_resultsSentElsewhere, rpccp.Return_Which_takeFromOtherQuestion:
		return refuse(ResultsElsewhere)
	case rpccp.Return_Which_awaitFromThirdParty:
		return refuse(ThirdParty)
	default:
		return refuse(UnknownReturn)
	}
	return g.closeQuestion(ret.AnswerId(), q, it, ret.ReleaseParamCaps())
}

// closeQuestion handles the Return of one of our questions.
func (g *Guard) closeQuestion(id uint32, q *question, it *item, releaseParams bool) error {
	q.returned = true
	if q.finished {
		g.abandoned--
		delete(g.questions, id)
	}
	if q.dropped { // the library drops the results, too
		for _, local := range it.imports {
			g.forget(local)
		}
		it.promised = nil
		g.pass(it.msg)
	} else {
		q.imports = it.imports
		g.submit(it)
	}
	if releaseParams {
		for _, held := range q.exports {
			if err := g.giveUp(held, 1, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *Guard) judgeFinish(msg *capnp.Message, m rpccp.Message) error {
	fin, err := m.Finish()
	if err != nil || !whole(capnp.Struct(fin)) {
		return refuse(Malformed)
	}
	a := g.asked[fin.QuestionId()]
	if a == nil || a.cancelled {
		return refuse(BadQuestionID)
	}
	fin.SetQuestionId(a.id)
	if a.stage == returned {
		return g.finishReturned(a, msg, fin)
	}
	g.cancel(a, msg, fin.ReleaseResultCaps())
	return nil
}

func (g *Guard) judgeRelease(msg *capnp.Message, m rpccp.Message) error {
	rel, err := m.Release()
	if err != nil || !whole(capnp.Struct(rel)) {
		return refuse(Malformed)
	}
	return g.giveUp(rel.Id(), rel.ReferenceCount(), msg)
}

// judgeDisembargo handles the two kinds of disembargo that exist between two vats: the peer's own, for a capability of
// the peer's that it called through one of our answers, and the reply to one of ours.
func (g *Guard) judgeDisembargo(msg *capnp.Message, m rpccp.Message, size int) error {
	d, err := m.Disembargo()
	if err != nil || !whole(capnp.Struct(d)) {
		return refuse(Malformed)
	}
	target, err := d.Target()
	if err != nil {
		return refuse(Malformed)
	}
	switch d.Context().Which() {
	case rpccp.Disembargo_context_Which_senderLoopback:
		it := &item{msg: msg, size: size}
		if err := g.readTarget(it, target); err != nil {
			return err
		}
		if a := it.target; a == nil || a.stage != returned || a.ours {
			return refuse(BadDisembargo)
		} else if p, found := a.at(it.fields); !found || !p.returned {
			return refuse(BadDisembargo)
		}
		g.submit(it)
		return nil
	case rpccp.Disembargo_context_Which_receiverLoopback:
		id := d.Context().ReceiverLoopback()
		if !g.embargoes[id] {
			return refuse(BadDisembargo)
		}
		delete(g.embargoes, id)
		if err := readShape(target); err != nil {
			return err
		}
		g.pass(msg)
		return nil
	case rpccp.Disembargo_context_Which_accept:
		return refuse(ThirdParty)
	default:
		return refuse(BadDisembargo)
	}
}

// judgeResolve handles the resolution of a promise. The library has taken the promise for a hosted capability and keeps
// calling it, so what the promise resolved to is released.
func (g *Guard) judgeResolve(m rpccp.Message) error {
	res, err := m.Resolve()
	if err != nil || !whole(capnp.Struct(res)) {
		return refuse(Malformed)
	}
	if _, known := g.promised[res.PromiseId()]; !known {
		return refuse(BadPromiseID)
	}
	delete(g.promised, res.PromiseId())
	switch res.Which() {
	case rpccp.Resolve_Which_exception:
		return nil
	case rpccp.Resolve_Which_cap:
	default:
		return refuse(UnknownResolve)
	}
	d, err := res.Cap()
	if err != nil || !d.IsValid() {
		return refuse(Malformed)
	}
	it := &item{}
	if err := g.readCapability(it, d); err != nil {
		return err
	}
	g.giveBack(it)
	return nil
}
