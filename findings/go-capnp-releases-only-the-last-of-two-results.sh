#!/usr/bin/env bash
# capnproto.org/go/capnp/v3 v3.1.0-alpha.2 with Go: a method returns two new objects in one result. The client takes the result, releases it
# and closes the connection. Another method returns one object, and the client does the same.
#
# Guess: when the client has released the result, or at the latest when the connection has ended, nobody has a reference to either object, and
# both get their Shutdown.
# Seen: only the last of the two gets it. The first one, with its goroutine, stays until the process ends: one for each call. The server takes
# a snapshot of each capability of a result and releases them in a loop whose variable they share, because the module declares Go 1.19: each
# deferred release is for the last one. Results with one capability are not affected.
set -euo pipefail

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
export GOFLAGS=-mod=mod GOTOOLCHAIN=local CGO_ENABLED=0
cat >go.mod <<'MOD'
module finding

go 1.24

require capnproto.org/go/capnp/v3 v3.1.0-alpha.2
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/rpc"
	"capnproto.org/go/capnp/v3/server"
)

const (
	iface = 0xa0b1c2d3e4f50617
	calls = 20
)

// An object counts its end.
type object struct{ ended *atomic.Int64 }

func (o object) Shutdown() { o.ended.Add(1) }

// returning is a method that returns as many new objects as there are counters.
func returning(number uint16, counters ...*atomic.Int64) server.Method {
	return server.Method{
		Method: capnp.Method{InterfaceID: iface, MethodID: number},
		Impl: func(_ context.Context, call *server.Call) error {
			res, err := call.AllocResults(capnp.ObjectSize{PointerCount: uint16(len(counters))})
			if err != nil {
				return err
			}
			for i, counter := range counters {
				client := capnp.NewClient(server.New(nil, nil, object{counter}))
				in := capnp.NewInterface(res.Segment(), res.Message().CapTable().Add(client))
				if err := res.SetPtr(uint16(i), in.ToPtr()); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func main() {
	var single, first, last atomic.Int64
	served := capnp.NewClient(server.New([]server.Method{
		returning(0, &single), returning(1, &first, &last),
	}, nil, nil))
	near, far := net.Pipe()
	host := rpc.NewConn(rpc.NewStreamTransport(far), &rpc.Options{BootstrapClient: served})
	conn := rpc.NewConn(rpc.NewStreamTransport(near), nil)
	client := conn.Bootstrap(context.Background())
	for range calls {
		for method := range uint16(2) {
			answer, release := client.SendCall(context.Background(), capnp.Send{
				Method: capnp.Method{InterfaceID: iface, MethodID: method},
			})
			if _, err := answer.Struct(); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			release()
		}
	}
	time.Sleep(time.Second) // every Finish has been sent
	client.Release()
	conn.Close()
	<-host.Done()
	time.Sleep(time.Second)
	fmt.Printf("%d results each: alone %d released; of two, the first %d, the last %d\n", calls, single.Load(),
		first.Load(), last.Load())
}
GO
go mod tidy >/dev/null 2>&1
seen=$(go run .)
echo "$seen"
[[ $seen == "20 results each: alone 20 released; of two, the first 0, the last 20" ]]
