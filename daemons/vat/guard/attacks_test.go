package guard_test

import (
	"time"

	rpccp "capnproto.org/go/capnp/v3/std/capnp/rpc"

	"nexus/daemons/vat/guard"
)

const (
	// hurry is the guard's timeout in tests of what happens when it expires.
	hurry = 50 * time.Millisecond
	// stallHurry is the same where the other side needs a turn before it counts as stalled, even on a busy machine.
	stallHurry = 500 * time.Millisecond
)

// The timeouts that an attack may need to be short.
func frame() guard.Option { return guard.HurryFrame(hurry) }
func write() guard.Option { return guard.HurryWrite(hurry) }
func stall() guard.Option { return guard.HurryStall(stallHurry) }

// An attack is what a hostile peer does once it has the served object, and the reason for which it is refused.
type attack struct {
	name   string
	reason guard.Reason
	run    func(p *peer)
	short  func() guard.Option // the timeout that it exhausts; nil for most
}

func attacks() []attack {
	var all []attack
	for _, some := range [][]attack{frames(), pointers(), kinds(), questions(), answers(), capabilities(), floods(),
		waits()} {
		all = append(all, some...)
	}
	return all
}

// frames are attacks that lie about segments.
func frames() []attack {
	header := func(b ...byte) func(*peer) { return func(p *peer) { p.raw(b) } }
	return []attack{
		{name: "segment table of 4 Gi entries", reason: guard.TooManySegments,
			run: header(0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0)},
		{name: "one segment too many", reason: guard.TooManySegments, run: header(0x00, 0x02, 0, 0, 1, 0, 0, 0)},
		{name: "segment of 32 GiB", reason: guard.FrameTooBig, run: header(0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)},
		{name: "segments that overflow together", reason: guard.FrameTooBig, run: func(p *peer) {
			b := make([]byte, 8+4*512)
			b[0], b[1] = 0xff, 0x01
			for i := range 512 {
				b[4+4*i+2] = 1 // 512 KiB each
			}
			p.raw(b)
		}},
		{name: "one word too much", reason: guard.FrameTooBig, run: func(p *peer) {
			p.raw(segments(make([]uint64, guard.MaxMessage/8)))
		}},
		{name: "empty first segment", reason: guard.BadSegment,
			run: func(p *peer) { p.raw(segments(nil, []uint64{0})) }},
		{name: "empty message", reason: guard.BadSegment, run: func(p *peer) { p.words() }},
	}
}

// Pointers, as words.
func object64(offset int, data, pointers uint64) uint64 {
	return uint64(uint32(offset<<2)) | data<<32 | pointers<<48
}
func list64(offset int, kind, count uint64) uint64 {
	return uint64(uint32(offset<<2)) | 1 | kind<<32 | count<<35
}
func far64(segment, offset uint64) uint64    { return offset<<3 | 2 | segment<<32 }
func double64(segment, offset uint64) uint64 { return offset<<3 | 6 | segment<<32 }

// pointers are attacks whose pointers do not form a tree.
func pointers() []attack {
	words := func(w ...uint64) func(*peer) { return func(p *peer) { p.words(w...) } }
	root := object64(0, 1, 1)
	deep := func(n int) []uint64 {
		w := []uint64{root, 1}
		for range n {
			w = append(w, object64(0, 0, 1))
		}
		return append(w, 0)
	}
	return []attack{
		{name: "null root", reason: guard.Malformed, run: words(0)},
		{name: "root without data", reason: guard.Malformed, run: words(object64(0, 0, 1), 0)},
		{name: "root is a list", reason: guard.Malformed, run: words(list64(0, 5, 1), 0)},
		{name: "root is a capability", reason: guard.Malformed, run: words(3)},
		{name: "pointer past the end", reason: guard.OutOfBounds, run: words(object64(0, 1, 2), 1, 0)},
		{name: "pointer before the beginning", reason: guard.OutOfBounds, run: words(root, 1, object64(-20, 1, 0))},
		{name: "list past the end", reason: guard.OutOfBounds, run: words(root, 1, list64(0, 5, 1<<28))},
		{name: "struct that holds itself", reason: guard.Overlapping, run: words(root, 1, object64(-2, 1, 1))},
		{name: "two pointers to one list", reason: guard.Overlapping,
			run: words(object64(0, 1, 2), 1, list64(1, 5, 1), list64(0, 5, 1), 7)},
		{name: "too deep", reason: guard.TooDeep, run: func(p *peer) { p.words(deep(64)...) }},
		{name: "far pointer into nowhere", reason: guard.BadSegment, run: words(far64(9, 0))},
		{name: "far pointer past the end", reason: guard.OutOfBounds, run: words(far64(0, 9))},
		{name: "far pointer to a far pointer", reason: guard.FarChain, run: func(p *peer) {
			p.raw(segments([]uint64{far64(1, 0)}, []uint64{far64(1, 1), root, 1, 0}))
		}},
		{name: "far pointer to itself", reason: guard.Overlapping, run: words(far64(0, 0))},
		{name: "double far pointer to a plain one", reason: guard.FarChain, run: func(p *peer) {
			p.raw(segments([]uint64{double64(1, 0)}, []uint64{root, root, 1, 0}))
		}},
		{name: "double far pointer with an offset", reason: guard.FarChain, run: func(p *peer) {
			p.raw(segments([]uint64{double64(1, 0)}, []uint64{far64(1, 2), object64(1, 1, 1), 1, 0}))
		}},
		{name: "double far pointer into nowhere", reason: guard.BadSegment, run: func(p *peer) {
			p.raw(segments([]uint64{double64(1, 0)}, []uint64{far64(7, 2), object64(0, 1, 1)}))
		}},
		{name: "pointer of unknown kind", reason: guard.BadPointer, run: words(root, 1, 0x107)},
		{name: "list of fewer words than structs", reason: guard.BadPointer,
			run: words(root, 1, list64(0, 7, 1), object64(9, 1, 0), 0)},
		{name: "list of a negative number of structs", reason: guard.BadPointer,
			run: words(root, 1, list64(0, 7, 1), object64(-9, 1, 0), 0)},
		{name: "list whose tag is no struct", reason: guard.BadPointer,
			run: words(root, 1, list64(0, 7, 1), list64(1, 5, 0), 0)},
		{name: "list of half a billion voids", reason: guard.HugeList, run: words(root, 1, list64(0, 0, 1<<29-1))},
		{name: "list of half a billion empty structs", reason: guard.HugeList,
			run: words(root, 1, list64(0, 7, 0), object64(1<<29-1, 0, 0))},
	}
}

// kinds are attacks with messages that no peer sends to a vat of our level.
func kinds() []attack {
	kind := func(which uint16) func(*peer) { return func(p *peer) { p.kind(which) } }
	call := func(change func(rpccp.Call)) func(*peer) {
		return func(p *peer) {
			p.say(func(m rpccp.Message) { change(fillCall(m, 1, imported(served), echo)) })
		}
	}
	return []attack{
		{name: "unimplemented", reason: guard.Unimplemented, run: func(p *peer) {
			p.say(func(m rpccp.Message) { must(must(m.NewUnimplemented()).NewCall()) })
		}},
		{name: "unimplemented resolve", reason: guard.Unimplemented, run: func(p *peer) {
			p.say(func(m rpccp.Message) {
				must(must(must(m.NewUnimplemented()).NewResolve()).NewCap()).SetSenderHosted(served)
			})
		}},
		{name: "unimplemented in itself", reason: guard.Unimplemented, run: func(p *peer) {
			p.say(func(m rpccp.Message) { must(must(m.NewUnimplemented()).NewUnimplemented()) })
		}},
		{name: "obsolete save", reason: guard.UnknownMessage, run: kind(7)},
		{name: "obsolete delete", reason: guard.UnknownMessage, run: kind(9)},
		{name: "provide", reason: guard.ThirdParty,
			run: func(p *peer) { p.say(func(m rpccp.Message) { must(m.NewProvide()) }) }},
		{name: "accept", reason: guard.ThirdParty,
			run: func(p *peer) { p.say(func(m rpccp.Message) { must(m.NewAccept()) }) }},
		{name: "join", reason: guard.ThirdParty,
			run: func(p *peer) { p.say(func(m rpccp.Message) { must(m.NewJoin()) }) }},
		{name: "third-party answer", reason: guard.ThirdParty, run: kind(14)},
		{name: "unknown message", reason: guard.UnknownMessage, run: kind(99)},
		{name: "bootstrap without content", reason: guard.Malformed, run: kind(8)},
		{name: "call without content", reason: guard.Malformed, run: kind(2)},
		{name: "return without content", reason: guard.Malformed, run: kind(3)},
		{name: "finish without content", reason: guard.Malformed, run: kind(4)},
		{name: "resolve without content", reason: guard.Malformed, run: kind(5)},
		{name: "release without content", reason: guard.Malformed, run: kind(6)},
		{name: "disembargo without content", reason: guard.Malformed, run: kind(13)},
		{name: "call without target", reason: guard.Malformed,
			run: func(p *peer) { p.say(func(m rpccp.Message) { must(m.NewCall()) }) }},
		{name: "results to yourself", reason: guard.ResultsElsewhere,
			run: call(func(c rpccp.Call) { c.SendResultsTo().SetYourself() })},
		{name: "results to a third party", reason: guard.ThirdParty,
			run: call(func(c rpccp.Call) { c.ToPtr().Struct().SetUint16(6, 2) })},
		{name: "results to nobody known", reason: guard.ResultsElsewhere,
			run: call(func(c rpccp.Call) { c.ToPtr().Struct().SetUint16(6, 9) })},
		{name: "unknown target", reason: guard.UnknownTarget, run: call(func(c rpccp.Call) {
			must(c.Target()).ToPtr().Struct().SetUint16(4, 9)
		})},
		{name: "unknown step", reason: guard.UnknownOperation, run: func(p *peer) {
			p.call(1, imported(served), fresh)
			p.call(2, func(t rpccp.MessageTarget) {
				a := must(t.NewPromisedAnswer())
				promise(a, 1, 0)
				must(a.Transform()).At(0).ToPtr().Struct().SetUint16(0, 9)
			}, echo)
		}},
		{name: "unknown capability", reason: guard.UnknownDescriptor, run: func(p *peer) {
			p.call(1, imported(served), echo, func(d rpccp.CapDescriptor) { d.ToPtr().Struct().SetUint16(0, 9) })
		}},
		{name: "capability of a third party", reason: guard.ThirdParty, run: func(p *peer) {
			p.call(1, imported(served), echo,
				func(d rpccp.CapDescriptor) { must(d.NewThirdPartyHosted()).SetVineId(3) })
		}},
		{name: "accept in a disembargo", reason: guard.ThirdParty, run: func(p *peer) {
			p.say(func(m rpccp.Message) {
				d := must(m.NewDisembargo())
				must(d.NewTarget()).SetImportedCap(served)
				d.ToPtr().Struct().SetUint16(4, 2)
			})
		}},
		{name: "unknown disembargo", reason: guard.BadDisembargo, run: func(p *peer) {
			p.say(func(m rpccp.Message) {
				d := must(m.NewDisembargo())
				must(d.NewTarget()).SetImportedCap(served)
				d.ToPtr().Struct().SetUint16(4, 9)
			})
		}},
	}
}
