package guard

import (
	"capnproto.org/go/capnp/v3"
	rpccp "capnproto.org/go/capnp/v3/std/capnp/rpc"
)

// An arrival is one message of the peer. Its pointers have been checked already.
type arrival struct {
	*state
	msg  *capnp.Message
	m    rpccp.Message
	size int
}

// judge checks one message of the peer, and queues what the library may see of it.
func (s *state) judge(msg *capnp.Message, size int) error {
	m, err := rpccp.ReadRootMessage(msg)
	if err != nil || !whole(capnp.Struct(m)) {
		return refuse(Malformed)
	}
	if len(s.outbox) >= maxOutbox {
		return refuse(NeverReads)
	}
	in := arrival{s, msg, m, size}
	switch m.Which() {
	case rpccp.Message_Which_abort:
		s.pass(msg)
		return nil
	case rpccp.Message_Which_bootstrap:
		return in.bootstrap()
	case rpccp.Message_Which_call:
		return in.call()
	case rpccp.Message_Which_return:
		return in.returns()
	case rpccp.Message_Which_finish:
		return in.finish()
	case rpccp.Message_Which_release:
		return in.release()
	case rpccp.Message_Which_resolve:
		return in.resolve()
	case rpccp.Message_Which_disembargo:
		return in.disembargo()
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

func (in arrival) bootstrap() error {
	boot, err := in.m.Bootstrap()
	if err != nil || !whole(capnp.Struct(boot)) {
		return refuse(Malformed)
	}
	if in.answers.bootstraps >= MaxBootstraps {
		return refuse(TooManyBootstraps)
	}
	a, err := in.answers.open(boot.QuestionId())
	if err != nil {
		return err
	}
	a.boot, a.stage = true, computing
	in.answers.bootstraps++
	boot.SetQuestionId(a.id)
	in.pass(in.msg)
	return nil
}

func (in arrival) call() error {
	call, err := in.m.Call()
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
	it := &item{msg: in.msg, size: in.size}
	target, err := call.Target()
	if err != nil {
		return refuse(Malformed)
	}
	// The target and parameters are read before the question is opened, because they must not refer to it.
	if err := in.readTarget(it, target); err != nil {
		return err
	}
	params, err := call.Params()
	if err != nil {
		return refuse(Malformed)
	}
	if err := in.readPayload(it, params); err != nil {
		return err
	}
	if it.call, err = in.answers.open(call.QuestionId()); err != nil {
		return err
	}
	call.SetQuestionId(it.call.id)
	it.call.callBytes = in.size
	in.answers.callBytes += in.size
	in.submit(it)
	return nil
}

func (in arrival) returns() error {
	ret, err := in.m.Return()
	if err != nil || !whole(capnp.Struct(ret)) {
		return refuse(Malformed)
	}
	q, err := in.questions.find(ret.AnswerId())
	if err != nil {
		return err
	}
	it := &item{msg: in.msg, size: in.size, question: ret.AnswerId()}
	switch ret.Which() {
	case rpccp.Return_Which_results:
		results, err := ret.Results()
		if err != nil {
			return refuse(Malformed)
		}
		if err := in.readPayload(it, results); err != nil {
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
	return in.closeQuestion(ret.AnswerId(), q, it, ret.ReleaseParamCaps())
}

// closeQuestion handles the Return of one of our questions.
func (in arrival) closeQuestion(id uint32, q *question, it *item, releaseParams bool) error {
	in.questions.returns(id, q)
	if q.dropped { // the library drops the results, too
		for _, local := range it.imports {
			in.imports.forget(local)
		}
		it.promised = nil
		in.pass(it.msg)
	} else {
		q.imports = it.imports
		in.submit(it)
	}
	if releaseParams {
		for _, held := range q.exports {
			if err := in.giveUp(held, 1, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func (in arrival) finish() error {
	fin, err := in.m.Finish()
	if err != nil || !whole(capnp.Struct(fin)) {
		return refuse(Malformed)
	}
	a, err := in.answers.find(fin.QuestionId())
	if err != nil {
		return err
	}
	fin.SetQuestionId(a.id)
	if a.stage == returned {
		return in.finishReturned(a, in.msg, fin)
	}
	in.cancel(a, in.msg, fin.ReleaseResultCaps())
	return nil
}

func (in arrival) release() error {
	rel, err := in.m.Release()
	if err != nil || !whole(capnp.Struct(rel)) {
		return refuse(Malformed)
	}
	return in.giveUp(rel.Id(), rel.ReferenceCount(), in.msg)
}

// disembargo handles the two kinds of disembargo that exist between two vats: the peer's own, for a capability of
// the peer's that it called through one of our answers, and the reply to one of ours.
func (in arrival) disembargo() error {
	d, err := in.m.Disembargo()
	if err != nil || !whole(capnp.Struct(d)) {
		return refuse(Malformed)
	}
	target, err := d.Target()
	if err != nil {
		return refuse(Malformed)
	}
	switch d.Context().Which() {
	case rpccp.Disembargo_context_Which_senderLoopback:
		it := &item{msg: in.msg, size: in.size}
		if err := in.readTarget(it, target); err != nil {
			return err
		}
		if a := it.target; a == nil || a.stage != returned || a.ours {
			return refuse(BadDisembargo)
		} else if p, found := a.at(it.fields); !found || !p.returned {
			return refuse(BadDisembargo)
		}
		in.submit(it)
		return nil
	case rpccp.Disembargo_context_Which_receiverLoopback:
		if err := in.questions.lift(d.Context().ReceiverLoopback()); err != nil {
			return err
		}
		if err := readShape(target); err != nil {
			return err
		}
		in.pass(in.msg)
		return nil
	case rpccp.Disembargo_context_Which_accept:
		return refuse(ThirdParty)
	default:
		return refuse(BadDisembargo)
	}
}

// resolve handles the resolution of a promise. The library has taken the promise for a hosted capability and keeps
// calling it, so what the promise resolved to is released.
func (in arrival) resolve() error {
	res, err := in.m.Resolve()
	if err != nil || !whole(capnp.Struct(res)) {
		return refuse(Malformed)
	}
	if err := in.imports.resolve(res.PromiseId()); err != nil {
		return err
	}
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
	if err := in.readCapability(it, d); err != nil {
		return err
	}
	in.giveBack(it)
	return nil
}
