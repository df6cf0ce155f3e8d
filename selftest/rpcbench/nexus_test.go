package rpcbench

import (
	"context"
	"net"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/flowcontrol"
	"capnproto.org/go/capnp/v3/rpc"
	"capnproto.org/go/capnp/v3/rpc/transport"
	"capnproto.org/go/capnp/v3/server"

	"nexus/daemons/vat"
)

// nexusContender calls as daemons do, with a guard at both ends.
func nexusContender() contender {
	return contender{
		name:  "nexus",
		about: "two vats, a guard at both ends",
		serve: func(l net.Listener, ready func()) error {
			return accept(l, ready, func(conn net.Conn) { <-vat.Connect(conn.(vat.Stream), newObject()).Done() })
		},
		dial: func(ctx context.Context, path string) (client, error) {
			socket, err := net.Dial("unix", path)
			if err != nil {
				return nil, err
			}
			conn := vat.Connect(socket.(vat.Stream), capnp.Client{})
			object, err := conn.Bootstrap(ctx)
			if err != nil {
				conn.Close()
				return nil, err
			}
			return &capClient{object, conn.Close}, nil
		},
	}
}

// bareContender uses the RPC library without the guard, for comparison.
func bareContender() contender {
	return contender{
		name:  "go-capnp",
		about: "the RPC library without a guard",
		serve: func(l net.Listener, ready func()) error {
			return accept(l, ready, func(conn net.Conn) {
				<-rpc.NewConn(transport.NewStream(conn), &rpc.Options{BootstrapClient: newObject()}).Done()
			})
		},
		dial: func(ctx context.Context, path string) (client, error) {
			socket, err := net.Dial("unix", path)
			if err != nil {
				return nil, err
			}
			conn := rpc.NewConn(transport.NewStream(socket), nil)
			object := conn.Bootstrap(ctx)
			if err := object.Resolve(ctx); err != nil {
				conn.Close()
				return nil, err
			}
			return &capClient{object, func() { conn.Close() }}, nil
		},
	}
}

// The interface that both serve. Every struct has one pointer.
const iface = 0xb6a1c4e83f5d7092

const (
	methodEcho    uint16 = iota // returns its data
	methodFresh                 // returns a new object of the same kind
	methodSwallow               // streams: takes data and returns nothing
)

var onePointer = capnp.ObjectSize{PointerCount: 1}

func newObject() capnp.Client {
	methods := []server.Method{}
	for i, body := range []func(context.Context, *server.Call) error{echoCall, freshCall, swallowCall} {
		methods = append(methods, server.Method{Method: capnp.Method{InterfaceID: iface, MethodID: uint16(i)},
			Impl: body})
	}
	return capnp.NewClient(server.New(methods, nil, nil))
}

func echoCall(_ context.Context, call *server.Call) error {
	data, err := call.Args().Ptr(0)
	if err != nil {
		return err
	}
	res, err := call.AllocResults(onePointer)
	if err != nil {
		return err
	}
	return res.SetData(0, data.Data())
}

func freshCall(_ context.Context, call *server.Call) error {
	res, err := call.AllocResults(onePointer)
	if err != nil {
		return err
	}
	return res.SetPtr(0, capnp.NewInterface(res.Segment(), res.Message().CapTable().Add(newObject())).ToPtr())
}

func swallowCall(_ context.Context, call *server.Call) error {
	_, err := call.AllocResults(capnp.ObjectSize{})
	return err
}

// capClient holds the far object.
type capClient struct {
	object capnp.Client
	end    func()
}

func (c *capClient) Call(ctx context.Context, payload []byte) error {
	return echoThrough(ctx, c.object, payload)
}

// Chain calls the far object for an object, that one for another, and echo on the last. All three calls are sent before
// the first answer arrives.
func (c *capClient) Chain(ctx context.Context, payload []byte) error {
	first, release := c.object.SendCall(ctx, send(methodFresh, nil))
	defer release()
	second, release := first.Field(0, nil).Client().SendCall(ctx, send(methodFresh, nil))
	defer release()
	return echoThrough(ctx, second.Field(0, nil).Client(), payload)
}

func echoThrough(ctx context.Context, object capnp.Client, payload []byte) error {
	answer, release := object.SendCall(ctx, send(methodEcho, payload))
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	back, err := res.Ptr(0)
	if err != nil {
		return err
	}
	return same(payload, back.Data())
}

// bulkWindow is how many bytes of a stream may be in flight, the same as in `nx`.
const bulkWindow = 4 << 20

// Bulk streams, and then calls echo, which returns after the stream because calls arrive in order.
func (c *capClient) Bulk(ctx context.Context, size int64) error {
	sink := c.object.AddRef()
	defer sink.Release()
	sink.SetFlowLimiter(flowcontrol.NewFixedLimiter(bulkWindow))
	chunk := make([]byte, bulkChunk)
	for left := size; left > 0; left -= bulkChunk {
		if err := sink.SendStreamCall(ctx, send(methodSwallow, chunk[:min(left, bulkChunk)])); err != nil {
			return err
		}
	}
	if err := sink.WaitStreaming(); err != nil {
		return err
	}
	return c.Call(ctx, chunk[:1])
}

func (c *capClient) Close() error {
	c.object.Release()
	c.end()
	return nil
}

func send(method uint16, data []byte) capnp.Send {
	return capnp.Send{
		Method:    capnp.Method{InterfaceID: iface, MethodID: method},
		ArgsSize:  onePointer,
		PlaceArgs: func(s capnp.Struct) error { return s.SetData(0, data) },
	}
}
