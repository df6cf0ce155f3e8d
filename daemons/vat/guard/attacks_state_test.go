package guard_test

import (
	rpccp "capnproto.org/go/capnp/v3/std/capnp/rpc"

	"nexus/daemons/vat/guard"
)

// questions are attacks with question ids that are unknown, or already in use.
func questions() []attack {
	return []attack{
		{name: "bootstrap reuses its id", reason: guard.ReusedQuestionID, run: func(p *peer) { p.ask(bootQuestion) }},
		{name: "call reuses an id", reason: guard.ReusedQuestionID, run: func(p *peer) {
			p.call(1, imported(served), block)
			p.call(1, imported(served), echo)
		}},
		{name: "call reuses the id of a cancelled call", reason: guard.ReusedQuestionID, run: func(p *peer) {
			p.call(1, imported(served), callback, hosted(9)) // waits for a Return of ours that never comes
			p.finish(1, false)
			p.say(func(m rpccp.Message) { fillCall(m, bootQuestion, imported(served), echo) })
		}},
		{name: "call with its own answer", reason: guard.BadQuestionID, run: func(p *peer) {
			p.call(1, imported(served), echo, inAnswer(1, 0))
		}},
		{name: "call on an unknown answer", reason: guard.BadQuestionID,
			run: func(p *peer) { p.call(1, answered(77, 0), echo) }},
		{name: "call with an unknown answer", reason: guard.BadQuestionID, run: func(p *peer) {
			p.call(1, imported(served), echo, inAnswer(77, 0))
		}},
		{name: "call on a finished answer", reason: guard.BadQuestionID, run: func(p *peer) {
			p.call(1, imported(served), block)
			p.finish(1, true)
			p.call(2, answered(1, 0), echo)
		}},
		{name: "finish of an unknown question", reason: guard.BadQuestionID, run: func(p *peer) { p.finish(77, true) }},
		{name: "second finish", reason: guard.BadQuestionID, run: func(p *peer) {
			p.finish(bootQuestion, false)
			p.finish(bootQuestion, false)
		}},
		{name: "second finish of a cancelled call", reason: guard.BadQuestionID, run: func(p *peer) {
			p.call(1, imported(served), callback, hosted(9))
			p.finish(1, true)
			p.finish(1, true)
		}},
		{name: "disembargo of an unknown answer", reason: guard.BadQuestionID,
			run: func(p *peer) { p.loopback(1, answered(77, 0)) }},
		{name: "transform too long", reason: guard.TransformTooLong, run: func(p *peer) {
			p.call(1, imported(served), fresh)
			p.hear(rpccp.Message_Which_return)
			p.call(2, imported(served), echo, inAnswer(1, make([]uint16, guard.MaxTransform+1)...))
		}},
		{name: "transform of a million steps", reason: guard.TransformTooLong, run: func(p *peer) {
			p.call(1, imported(served), fresh)
			p.call(2, imported(served), echo, inAnswer(1, make([]uint16, 1<<18)...))
		}},
	}
}

// answers are attacks that answer questions that were not asked.
func answers() []attack {
	// asked makes the server call us, and then runs the attack on that question.
	asked := func(then func(p *peer, question uint32)) func(*peer) {
		return func(p *peer) {
			p.call(1, imported(served), callback, hosted(9))
			p.hear(rpccp.Message_Which_call)
			then(p, 0)
		}
	}
	returning := func(fill func(rpccp.Return)) func(*peer) {
		return asked(func(p *peer, question uint32) {
			p.say(func(m rpccp.Message) {
				ret := must(m.NewReturn())
				ret.SetAnswerId(question)
				fill(ret)
			})
		})
	}
	tag := func(which uint16) func(*peer) {
		return returning(func(r rpccp.Return) { r.ToPtr().Struct().SetUint16(6, which) })
	}
	return []attack{
		{name: "return of nothing", reason: guard.BadAnswerID, run: func(p *peer) { p.answer(0) }},
		{name: "return of a large id", reason: guard.BadAnswerID, run: func(p *peer) { p.answer(1 << 31) }},
		{name: "second return", reason: guard.BadAnswerID, run: asked(func(p *peer, q uint32) {
			p.answer(q)
			p.answer(q)
		})},
		{name: "results sent elsewhere", reason: guard.ResultsElsewhere, run: tag(3)},
		{name: "results of another question", reason: guard.ResultsElsewhere, run: tag(4)},
		{name: "results of a third party", reason: guard.ThirdParty, run: tag(5)},
		{name: "unknown return", reason: guard.UnknownReturn, run: tag(9)},
		{name: "exception without content", reason: guard.Malformed, run: tag(1)},
		{name: "return with a capability we do not have", reason: guard.BadCapabilityID,
			run: asked(func(p *peer, q uint32) {
				p.answer(q, receiver(77))
			})},
		{name: "return with an unknown answer", reason: guard.BadQuestionID, run: asked(func(p *peer, q uint32) {
			p.answer(q, inAnswer(77))
		})},
	}
}

// capabilities are attacks with capabilities that the peer does not hold.
func capabilities() []attack {
	return []attack{
		{name: "call on an unknown capability", reason: guard.BadCapabilityID,
			run: func(p *peer) { p.call(1, imported(77), echo) }},
		{name: "call with an unknown capability", reason: guard.BadCapabilityID, run: func(p *peer) {
			p.call(1, imported(served), echo, receiver(1<<31))
		}},
		{name: "call on a released capability", reason: guard.BadCapabilityID, run: func(p *peer) {
			p.release(served, 1)
			p.call(1, imported(served), echo)
		}},
		{name: "release of an unknown capability", reason: guard.BadRelease, run: func(p *peer) { p.release(77, 1) }},
		{name: "release of too many references", reason: guard.BadRelease, run: func(p *peer) { p.release(served, 2) }},
		{name: "release of no reference", reason: guard.BadRelease, run: func(p *peer) { p.release(served, 0) }},
		{name: "second release", reason: guard.BadRelease, run: func(p *peer) {
			p.release(served, 1)
			p.release(served, 1)
		}},
		{name: "release after finish gave up all", reason: guard.BadRelease, run: func(p *peer) {
			p.finish(bootQuestion, true)
			p.release(served, 1)
		}},
		{name: "resolve of no promise", reason: guard.BadPromiseID, run: func(p *peer) { p.resolve(5, hosted(6)) }},
		{name: "resolve of a hosted capability", reason: guard.BadPromiseID, run: func(p *peer) {
			p.call(1, imported(served), block, hosted(5))
			p.resolve(5, hosted(6))
		}},
		{name: "second resolve", reason: guard.BadPromiseID, run: func(p *peer) {
			p.call(1, imported(served), block, promisedCap(5))
			p.resolve(5, hosted(6))
			p.resolve(5, hosted(6))
		}},
		{name: "resolve to a third party", reason: guard.ThirdParty, run: func(p *peer) {
			p.call(1, imported(served), block, promisedCap(5))
			p.resolve(5, func(d rpccp.CapDescriptor) { must(d.NewThirdPartyHosted()) })
		}},
		{name: "resolve to nothing known", reason: guard.UnknownResolve, run: func(p *peer) {
			p.call(1, imported(served), block, promisedCap(5))
			p.say(func(m rpccp.Message) {
				r := must(m.NewResolve())
				r.SetPromiseId(5)
				r.ToPtr().Struct().SetUint16(4, 9)
			})
		}},
		{name: "resolve to a capability we do not have", reason: guard.BadCapabilityID, run: func(p *peer) {
			p.call(1, imported(served), block, promisedCap(5))
			p.resolve(5, receiver(77))
		}},
		{name: "disembargo of a hosted capability", reason: guard.BadDisembargo,
			run: func(p *peer) { p.loopback(1, imported(served)) }},
		{name: "disembargo of our own capability in an answer", reason: guard.BadDisembargo, run: func(p *peer) {
			p.loopback(1, answered(bootQuestion))
		}},
		{name: "disembargo of a null capability", reason: guard.BadDisembargo, run: func(p *peer) {
			p.call(1, imported(served), fresh)
			p.hear(rpccp.Message_Which_return)
			p.loopback(1, answered(1, 1))
		}},
		{name: "disembargo of an exception", reason: guard.BadDisembargo, run: func(p *peer) {
			p.call(1, imported(served), fail)
			p.hear(rpccp.Message_Which_return)
			p.loopback(1, answered(1, 0))
		}},
		{name: "disembargo before the return", reason: guard.BadDisembargo, run: func(p *peer) {
			p.call(1, imported(served), block)
			p.loopback(1, answered(1, 0))
		}},
		{name: "reply to no disembargo", reason: guard.BadDisembargo, run: func(p *peer) {
			p.say(func(m rpccp.Message) {
				d := must(m.NewDisembargo())
				d.Context().SetReceiverLoopback(0)
				must(d.NewTarget()).SetImportedCap(served)
			})
		}},
	}
}
