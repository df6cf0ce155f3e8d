package guard_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/server"
	rpccp "capnproto.org/go/capnp/v3/std/capnp/rpc"

	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
	"nexus/daemons/vat/vattest"
)

// limit bounds each wait. It is far longer than any wait should take.
const limit = 5 * time.Minute

// The interface that the tests serve. Each method takes and returns a struct with two pointers.
const iface = 0xf00df00df00df00d

const (
	echo  uint16 = iota // returns its parameters
	block               // returns when it is cancelled
	fresh               // returns a new object like itself, in pointer 0
	// calls echo on the capability in pointer 0, with the data in pointer 1, and returns the result
	callback
	empty // returns no results at all
	large // returns largeSize bytes in pointer 1
	laden // returns them, and a new object in pointer 0
	fail  // throws an exception
	count // returns the number of earlier calls of it on this object, as text in pointer 1
	methods
)

const largeSize = 1 << 20

var size = capnp.ObjectSize{PointerCount: 2}

// object returns a new served object.
func object() capnp.Client {
	calls := 0
	doCount := func(_ context.Context, call *server.Call) error {
		res, err := call.AllocResults(size)
		if err != nil {
			return err
		}
		calls++
		return res.SetData(1, fmt.Append(nil, calls-1))
	}
	bodies := [methods]func(context.Context, *server.Call) error{
		echo: doEcho, block: doBlock, fresh: doFresh, callback: doCallback, empty: doEmpty, large: doLarge,
		laden: doLaden, fail: doFail, count: doCount,
	}
	var table []server.Method
	for i, body := range bodies {
		table = append(table, server.Method{Method: capnp.Method{InterfaceID: iface, MethodID: uint16(i)}, Impl: body})
	}
	return capnp.NewClient(server.New(table, nil, nil))
}

// waiter returns an object whose only method calls block on the capability it is given. It sends on over when that call
// starts and when it ends.
func waiter(over chan<- error) capnp.Client {
	return capnp.NewClient(server.New([]server.Method{{
		Method: capnp.Method{InterfaceID: iface},
		Impl: func(_ context.Context, call *server.Call) error {
			call.Go()
			p, err := call.Args().Ptr(0)
			if err != nil {
				return err
			}
			answer, release := send(context.Background(), p.Interface().Client(), block, nil)
			defer release()
			over <- nil
			_, err = answer.Struct()
			over <- err
			return err
		},
	}}, nil, nil))
}

func doEcho(_ context.Context, call *server.Call) error {
	res, err := call.AllocResults(size)
	if err != nil {
		return err
	}
	return res.CopyFrom(call.Args())
}

func doBlock(ctx context.Context, call *server.Call) error {
	call.Go()
	<-ctx.Done()
	return ctx.Err()
}

func doFresh(_ context.Context, call *server.Call) error {
	res, err := call.AllocResults(size)
	if err != nil {
		return err
	}
	return setCap(res, 0, object())
}

func doCallback(ctx context.Context, call *server.Call) error {
	call.Go()
	p, err := call.Args().Ptr(0)
	if err != nil {
		return err
	}
	data, err := call.Args().Ptr(1)
	if err != nil {
		return err
	}
	answer, release := send(ctx, p.Interface().Client(), echo,
		func(s capnp.Struct) error { return s.SetData(1, data.Data()) })
	select {
	case <-answer.Done():
		defer release()
	case <-ctx.Done():
		go release() // waits for the answer, and a connection that closes gives up calls only after its handlers
		return ctx.Err()
	}
	got, err := answer.Struct()
	if err != nil {
		return err
	}
	res, err := call.AllocResults(size)
	if err != nil {
		return err
	}
	return res.CopyFrom(got)
}

func doEmpty(context.Context, *server.Call) error { return nil }

func doLarge(_ context.Context, call *server.Call) error {
	res, err := call.AllocResults(size)
	if err != nil {
		return err
	}
	return res.SetData(1, make([]byte, largeSize))
}

func doLaden(_ context.Context, call *server.Call) error {
	res, err := call.AllocResults(size)
	if err != nil {
		return err
	}
	if err := setCap(res, 0, object()); err != nil {
		return err
	}
	return res.SetData(1, make([]byte, largeSize))
}

func doFail(context.Context, *server.Call) error { return errors.New("no") }

func setCap(s capnp.Struct, field uint16, client capnp.Client) error {
	return s.SetPtr(field, capnp.NewInterface(s.Segment(), s.Message().CapTable().Add(client)).ToPtr())
}

// send calls a method of the test interface.
func send(ctx context.Context, client capnp.Client, method uint16,
	args func(capnp.Struct) error) (*capnp.Answer, capnp.ReleaseFunc) {
	return client.SendCall(ctx, capnp.Send{
		Method: capnp.Method{InterfaceID: iface, MethodID: method}, ArgsSize: size, PlaceArgs: args,
	})
}

// sockets returns both ends of a new connection.
func sockets(t testing.TB) (ours, theirs *net.UnixConn) {
	t.Helper()
	one, other := vattest.Sockets(t)
	return one.(*net.UnixConn), other.(*net.UnixConn)
}

// serve serves a new object on a new connection. The reason of a refusal is sent on the channel.
func serve(t testing.TB, options ...guard.Option) (*vat.Conn, *peer, <-chan guard.Reason) {
	t.Helper()
	ours, theirs := sockets(t)
	reasons := make(chan guard.Reason, 1)
	options = append(options, guard.Observe(func(r guard.Reason) { reasons <- r }))
	conn := vat.Connect(ours, object(), options...)
	p := &peer{socket: theirs, dec: capnp.NewDecoder(theirs)}
	return conn, p, reasons
}

// A peer speaks the protocol by hand, so that a test can send anything.
type peer struct {
	socket *net.UnixConn
	dec    *capnp.Decoder
	record io.Writer // also gets what is sent after the bootstrap, if set
}

// raw writes bytes. It ignores errors, because the other side may have closed the connection.
func (p *peer) raw(b []byte) {
	if p.record != nil {
		p.record.Write(b)
	}
	p.socket.SetWriteDeadline(time.Now().Add(limit))
	p.socket.Write(b)
}

// say sends one message.
func (p *peer) say(build func(rpccp.Message)) { p.raw(message(build)) }

// message returns the bytes of one message.
func message(build func(rpccp.Message)) []byte {
	msg, seg := capnp.NewSingleSegmentMessage(nil)
	defer msg.Release()
	build(must(rpccp.NewRootMessage(seg)))
	return must(msg.Marshal())
}

// must is for building messages in memory, which cannot fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// hear waits for a message of this kind and skips others. It returns false when the connection has ended.
func (p *peer) hear(kind rpccp.Message_Which) bool {
	p.socket.SetReadDeadline(time.Now().Add(limit))
	for {
		msg, err := p.dec.Decode()
		if err != nil {
			return false
		}
		m, err := rpccp.ReadRootMessage(msg)
		if err != nil {
			return false
		}
		if got := m.Which(); got == kind || got == rpccp.Message_Which_abort {
			return got == kind
		}
	}
}

// drain reads until the connection ends.
func (p *peer) drain() {
	p.socket.SetReadDeadline(time.Time{})
	go io.Copy(io.Discard, p.socket)
}

// served is the export id of the object that every connection serves, which is the first.
const served = 0

// bootstrap gets the served object.
func (p *peer) bootstrap() {
	record := p.record
	p.record = nil
	p.ask(bootQuestion)
	p.hear(rpccp.Message_Which_return)
	p.record = record
}

// bootQuestion is the id of every peer's first question.
const bootQuestion = 1 << 20

func (p *peer) ask(question uint32) {
	p.say(func(m rpccp.Message) { must(m.NewBootstrap()).SetQuestionId(question) })
}

// A where fills in a call's target.
type where func(rpccp.MessageTarget)

func imported(id uint32) where {
	return func(t rpccp.MessageTarget) { t.SetImportedCap(id) }
}

func answered(question uint32, fields ...uint16) where {
	return func(t rpccp.MessageTarget) { promise(must(t.NewPromisedAnswer()), question, fields...) }
}

func promise(p rpccp.PromisedAnswer, question uint32, fields ...uint16) {
	p.SetQuestionId(question)
	ops := must(p.NewTransform(int32(len(fields))))
	for i, f := range fields {
		ops.At(i).SetGetPointerField(f)
	}
}

// A with fills in one descriptor of a capability table.
type with func(rpccp.CapDescriptor)

func hosted(id uint32) with      { return func(d rpccp.CapDescriptor) { d.SetSenderHosted(id) } }
func promisedCap(id uint32) with { return func(d rpccp.CapDescriptor) { d.SetSenderPromise(id) } }
func receiver(id uint32) with    { return func(d rpccp.CapDescriptor) { d.SetReceiverHosted(id) } }
func inAnswer(q uint32, f ...uint16) with {
	return func(d rpccp.CapDescriptor) { promise(must(d.NewReceiverAnswer()), q, f...) }
}

// call calls a method with capabilities in its parameters; the first is in pointer 0.
func (p *peer) call(question uint32, target where, method uint16, caps ...with) {
	p.say(func(m rpccp.Message) { fillCall(m, question, target, method, caps...) })
}

func fillCall(m rpccp.Message, question uint32, target where, method uint16, caps ...with) rpccp.Call {
	call := must(m.NewCall())
	call.SetQuestionId(question)
	call.SetInterfaceId(iface)
	call.SetMethodId(method)
	target(must(call.NewTarget()))
	fillPayload(must(call.NewParams()), caps...)
	return call
}

func fillPayload(p rpccp.Payload, caps ...with) {
	args := must(capnp.NewStruct(p.Segment(), size))
	if err := p.SetContent(args.ToPtr()); err != nil {
		panic(err)
	}
	if len(caps) == 0 {
		return
	}
	args.SetPtr(0, capnp.NewInterface(p.Segment(), 0).ToPtr())
	table := must(p.NewCapTable(int32(len(caps))))
	for i, c := range caps {
		c(table.At(i))
	}
}

// finish finishes a question.
func (p *peer) finish(question uint32, release bool) {
	p.say(func(m rpccp.Message) {
		fin := must(m.NewFinish())
		fin.SetQuestionId(question)
		fin.SetReleaseResultCaps(release)
	})
}

// release releases references.
func (p *peer) release(id, count uint32) {
	p.say(func(m rpccp.Message) {
		rel := must(m.NewRelease())
		rel.SetId(id)
		rel.SetReferenceCount(count)
	})
}

// answer answers a question of the other side with results that contain capabilities.
func (p *peer) answer(question uint32, caps ...with) {
	p.say(func(m rpccp.Message) {
		ret := must(m.NewReturn())
		ret.SetAnswerId(question)
		ret.SetReleaseParamCaps(false)
		fillPayload(must(ret.NewResults()), caps...)
	})
}

// loopback sends a disembargo.
func (p *peer) loopback(id uint32, target where) {
	p.say(func(m rpccp.Message) {
		d := must(m.NewDisembargo())
		d.Context().SetSenderLoopback(id)
		target(must(d.NewTarget()))
	})
}

// resolve resolves a promise.
func (p *peer) resolve(id uint32, to with) {
	p.say(func(m rpccp.Message) {
		res := must(m.NewResolve())
		res.SetPromiseId(id)
		to(must(res.NewCap()))
	})
}

// kind sends an empty message of any kind.
func (p *peer) kind(which uint16) {
	p.say(func(m rpccp.Message) { capnp.Struct(m).SetUint16(0, which) })
}

// words sends a frame with one segment.
func (p *peer) words(w ...uint64) { p.raw(segments(w)) }

// segments returns a frame with these segments of words.
func segments(all ...[]uint64) []byte {
	var b strings.Builder
	put := func(v uint64, n int) {
		for range n {
			b.WriteByte(byte(v))
			v >>= 8
		}
	}
	put(uint64(len(all)-1), 4)
	for _, s := range all {
		put(uint64(len(s)), 4)
	}
	if len(all)%2 == 0 {
		put(0, 4)
	}
	for _, s := range all {
		for _, w := range s {
			put(w, 8)
		}
	}
	return []byte(b.String())
}
