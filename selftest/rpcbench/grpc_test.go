package rpcbench

import (
	"context"
	"fmt"
	"io"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
)

// grpcContender uses gRPC-Go without an encoding: messages are bytes, so that only the transport is compared. A real
// service would also pay for protocol buffers.
func grpcContender() contender {
	return contender{
		name:  "gRPC-Go",
		about: "one connection, messages of bare bytes",
		serve: func(l net.Listener, ready func()) error {
			s := grpc.NewServer(grpc.ForceServerCodecV2(bytesCodec{}))
			s.RegisterService(&grpc.ServiceDesc{
				ServiceName: "bench.Object",
				HandlerType: (*any)(nil),
				Methods:     []grpc.MethodDesc{{MethodName: "Echo", Handler: grpcEcho}},
				Streams:     []grpc.StreamDesc{{StreamName: "Swallow", Handler: grpcSwallow, ClientStreams: true}},
			}, struct{}{})
			ready()
			return s.Serve(l)
		},
		dial: func(_ context.Context, path string) (client, error) {
			conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()),
				grpc.WithDefaultCallOptions(grpc.ForceCodecV2(bytesCodec{})))
			return &grpcClient{conn}, err
		},
	}
}

func grpcEcho(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var message []byte
	err := decode(&message)
	return &message, err
}

// grpcSwallow reads a stream to its end and answers that it has received everything.
func grpcSwallow(_ any, stream grpc.ServerStream) error {
	for {
		var message []byte
		err := stream.RecvMsg(&message)
		if err == io.EOF {
			return stream.SendMsg(new([]byte))
		}
		if err != nil {
			return err
		}
	}
}

type grpcClient struct{ conn *grpc.ClientConn }

func (c *grpcClient) Call(ctx context.Context, payload []byte) error {
	var back []byte
	if err := c.conn.Invoke(ctx, "/bench.Object/Echo", &payload, &back); err != nil {
		return err
	}
	return same(payload, back)
}

func (c *grpcClient) Bulk(ctx context.Context, size int64) error {
	stream, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, "/bench.Object/Swallow")
	if err != nil {
		return err
	}
	chunk := make([]byte, bulkChunk)
	for left := size; left > 0; left -= bulkChunk {
		piece := chunk[:min(left, bulkChunk)]
		if err := stream.SendMsg(&piece); err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	var end []byte
	return stream.RecvMsg(&end)
}

func (c *grpcClient) Close() error { return c.conn.Close() }

// bytesCodec passes messages on unchanged.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "bytes" }

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	message, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("cannot marshal %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(*message)}, nil
}

func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	message, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("cannot unmarshal %T", v)
	}
	*message = data.Materialize()
	return nil
}
