package guard_test

import (
	"testing"

	rpccp "capnproto.org/go/capnp/v3/std/capnp/rpc"

	"nexus/daemons/vat/guard"
)

// TestBounds goes exactly up to each bound, which the attacks exceed by one. The connection must survive.
func TestBounds(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(p *peer)
	}{
		{"a message of MaxMessage bytes", func(p *peer) {
			w := make([]uint64, guard.MaxMessage/8-1)
			copy(w, []uint64{object64(0, 1, 1), 8, object64(0, 1, 1), 5}) // a bootstrap that is followed by nothing
			p.raw(segments(w))
		}},
		{"MaxSegments segments", func(p *peer) {
			all := make([][]uint64, guard.MaxSegments)
			all[0] = []uint64{object64(0, 1, 1), 8, object64(0, 1, 1), 5, 0}
			p.raw(segments(all...))
		}},
		{"far and double far pointers", func(p *peer) {
			p.raw(segments([]uint64{far64(1, 0)}, []uint64{object64(0, 1, 1), 8, double64(2, 0)},
				[]uint64{far64(3, 0), object64(0, 1, 1)}, []uint64{5, 0}))
		}},
		{"a list of MaxEmptyElements voids", func(p *peer) {
			p.words(object64(0, 1, 1), 8, object64(0, 1, 1), 5, list64(0, 0, guard.MaxEmptyElements))
		}},
		{"MaxDepth pointers deep", func(p *peer) {
			w := []uint64{object64(0, 1, 1), 8, object64(0, 1, 1), 5}
			for range guard.MaxDepth - 2 {
				w = append(w, object64(0, 0, 1))
			}
			p.words(append(w, 0)...)
		}},
		{"MaxCapabilities capabilities", func(p *peer) {
			p.call(5, imported(served), echo,
				make4(guard.MaxCapabilities)...)
		}},
		{"MaxTransform steps", func(p *peer) {
			p.call(4, imported(served), fresh)
			p.hear(rpccp.Message_Which_return)
			p.call(5, answered(4, make([]uint16, guard.MaxTransform)...), echo)
		}},
		{"MaxBootstraps bootstraps", func(p *peer) {
			for i := range uint32(guard.MaxBootstraps - 2) {
				p.ask(100 + i)
				p.hear(rpccp.Message_Which_return)
			}
			p.ask(5)
		}},
		{"MaxImports capabilities", func(p *peer) {
			for i := range uint32(guard.MaxImports / guard.MaxCapabilities) {
				p.call(100+i, imported(served), block, make4(guard.MaxCapabilities)...)
			}
			p.call(5, imported(served), count)
		}},
		{"MaxExports capabilities", func(p *peer) {
			for i := range uint32(guard.MaxExports - 1) {
				p.call(100+i, imported(served), fresh)
				p.hear(rpccp.Message_Which_return)
			}
			p.call(5, imported(served), count)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, p, reasons := serve(t)
			defer p.socket.Close()
			p.bootstrap()
			c.run(p)
			if !p.hear(rpccp.Message_Which_return) {
				t.Error("the connection has ended")
			}
			select {
			case got := <-reasons:
				t.Errorf("refused for %q", got)
			default:
			}
			conn.Close()
		})
	}
}

// TestResolvedPromiseIsGivenBack resolves a promise: the resolution is released at once, and the promise stays in use.
func TestResolvedPromiseIsGivenBack(t *testing.T) {
	conn, p, _ := serve(t)
	defer conn.Close()
	defer p.socket.Close()
	p.bootstrap()
	p.call(1, imported(served), block, promisedCap(5))
	p.resolve(5, hosted(6))
	if !p.hear(rpccp.Message_Which_release) {
		t.Error("the resolution was not released")
	}
}

// TestCancelledWaiterIsReturned cancels a call that waits for an answer: the call returns, and its capabilities are
// released.
func TestCancelledWaiterIsReturned(t *testing.T) {
	conn, p, _ := serve(t)
	defer conn.Close()
	defer p.socket.Close()
	p.bootstrap()
	p.call(1, imported(served), block)
	p.call(2, answered(1, 0), echo, hosted(5))
	p.finish(2, true)
	if !p.hear(rpccp.Message_Which_return) || !p.hear(rpccp.Message_Which_release) {
		t.Error("the call was not returned, or its capability not released")
	}
	p.call(2, imported(served), echo) // its id is free again
	if !p.hear(rpccp.Message_Which_return) {
		t.Error("the connection has ended")
	}
}

// TestFinishWaitsForItsUsers finishes an answer that a waiting call still refers to.
func TestFinishWaitsForItsUsers(t *testing.T) {
	conn, p, _ := serve(t)
	defer conn.Close()
	defer p.socket.Close()
	p.bootstrap()
	p.call(1, imported(served), callback, hosted(9)) // the answer that the others wait for
	p.hear(rpccp.Message_Which_call)
	p.call(2, imported(served), fresh)
	p.hear(rpccp.Message_Which_return)
	p.call(3, answered(1, 0), echo, inAnswer(2, 0)) // waits for 1, refers to 2
	p.finish(2, true)
	p.answer(0, receiver(served))
	for range 2 {
		if !p.hear(rpccp.Message_Which_return) {
			t.Fatal("the connection has ended")
		}
	}
}

// A large answer without capabilities is not kept until the peer finishes it: the peer may have more of them at once
// than of others, and may still refer to each, until it does. A call on one fails, and its id is free afterwards.
func TestLargeAnswersAreNotKept(t *testing.T) {
	const many = uint32(guard.MaxAnswerBytes/largeSize + guard.MaxCalls)
	conn, p, reasons := serve(t)
	defer conn.Close()
	defer p.socket.Close()
	p.bootstrap()
	returned := func(question uint32, target where, method uint16, caps ...with) {
		t.Helper()
		p.call(question, target, method, caps...)
		if !p.hear(rpccp.Message_Which_return) {
			t.Fatalf("call %d was not answered: %v", question, <-reasons)
		}
	}
	for i := range many {
		returned(i, imported(served), large)
	}
	returned(many, answered(0, 0), echo)
	returned(many+1, imported(served), echo, inAnswer(1, 0))
	for i := range many + 2 {
		p.finish(i, true)
	}
	for i := range many {
		returned(i, imported(served), large)
	}
}
