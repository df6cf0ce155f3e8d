package guard_test

import (
	"encoding/binary"
	"time"

	rpccp "capnproto.org/go/capnp/v3/std/capnp/rpc"

	"nexus/daemons/vat/guard"
)

// floods are attacks that demand more than one connection may cost.
func floods() []attack {
	return []attack{
		{name: "capability table", reason: guard.TooManyCapabilities, run: func(p *peer) {
			p.call(1, imported(served), echo, make4(guard.MaxCapabilities+1)...)
		}},
		{name: "absurd capability table", reason: guard.TooManyCapabilities, run: func(p *peer) {
			p.call(1, imported(served), echo, make4(100_000)...)
		}},
		{name: "bootstraps", reason: guard.TooManyBootstraps, run: func(p *peer) {
			p.drain()
			for i := range uint32(guard.MaxBootstraps) {
				p.ask(i)
			}
		}},
		{name: "capabilities given", reason: guard.TooManyImports, run: func(p *peer) {
			p.drain()
			for i := range uint32(guard.MaxImports/guard.MaxCapabilities + 1) {
				p.call(i, imported(served), block, make4(guard.MaxCapabilities)...)
			}
		}},
		{name: "capabilities taken", reason: guard.TooManyExports, run: func(p *peer) {
			p.drain()
			for i := range uint32(guard.MaxExports + 1) {
				p.call(i, imported(served), fresh)
			}
		}},
		{name: "calls that block", reason: guard.TooManyCalls, short: stall, run: func(p *peer) {
			p.drain()
			for i := range uint32(guard.MaxCalls + guard.MaxWaiting + 10) {
				p.call(i, imported(served), block)
			}
		}},
		{name: "bytes of calls that block", reason: guard.TooManyCalls, short: stall, run: func(p *peer) {
			p.drain()
			for i := range uint32(guard.MaxCallBytes/guard.MaxMessage + 2) {
				p.say(func(m rpccp.Message) {
					call := fillCall(m, i, imported(served), block)
					must(must(call.Params()).Content()).Struct().SetData(1, make([]byte, guard.MaxMessage-1024))
				})
			}
		}},
		{name: "calls on an answer that does not come", reason: guard.TooManyCalls, short: stall, run: func(p *peer) {
			p.drain()
			p.call(0, imported(served), block)
			for i := range uint32(guard.MaxWaiting + 10) {
				p.call(i+1, answered(0, 0), echo)
			}
		}},
		{name: "answers never finished", reason: guard.AnswersUnfinished, short: stall, run: func(p *peer) {
			p.drain()
			for i := range uint32(guard.MaxAnswers + guard.MaxCalls) {
				p.call(i, imported(served), fail)
			}
		}},
		{name: "bytes of answers never finished", reason: guard.AnswersUnfinished, short: stall, run: func(p *peer) {
			p.drain()
			for i := range uint32(guard.MaxAnswerBytes/largeSize + guard.MaxCalls) {
				p.call(i, imported(served), laden)
			}
		}},
		{name: "calls cancelled and never returned", reason: guard.NeverReturns, run: func(p *peer) {
			for i := range uint32(guard.MaxAbandoned + 1) {
				p.call(i, imported(served), callback, hosted(i))
				if !p.hear(rpccp.Message_Which_call) {
					return
				}
				p.finish(i, true)
			}
		}},
	}
}

// make4 fills a capability table with the peer's capabilities, four references to each.
func make4(n int) []with {
	var all []with
	for i := range n {
		all = append(all, hosted(uint32(i/4)))
	}
	return all
}

// waits are attacks that occupy a connection without using it.
func waits() []attack {
	return []attack{
		{name: "message that stalls half way", reason: guard.SlowFrame, short: frame, run: func(p *peer) {
			p.raw(message(func(m rpccp.Message) { fillCall(m, 1, imported(served), echo) })[:20])
		}},
		{name: "segment table that stalls", reason: guard.SlowFrame, short: frame,
			run: func(p *peer) { p.raw([]byte{0}) }},
		{name: "message that trickles", reason: guard.SlowFrame, short: frame, run: func(p *peer) {
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				p.socket.Read(make([]byte, 1))
			}()
			p.raw(binary.LittleEndian.AppendUint32(make([]byte, 4), 1<<10))
			for pause := time.NewTicker(hurry / 10); ; {
				select {
				case <-pause.C:
					p.raw([]byte{0})
				case <-gone:
					pause.Stop()
					return
				}
			}
		}},
		{name: "large answers never read", reason: guard.NeverReads, short: write, run: func(p *peer) {
			for i := range uint32(4) {
				p.call(i, imported(served), large)
			}
		}},
		{name: "small answers never read", reason: guard.NeverReads, short: write, run: func(p *peer) {
			for i := range uint32(guard.MaxAnswers / 2) { // more than any socket buffers
				p.call(i, imported(served), echo)
			}
		}},
	}
}
