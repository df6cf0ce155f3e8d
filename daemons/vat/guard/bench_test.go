package guard_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/rpc"
	"capnproto.org/go/capnp/v3/rpc/transport"
)

// inFlight is the number of calls in flight in the concurrent benchmark.
const inFlight = 64

// BenchmarkGuard makes the same calls in turns with a guard at both ends and with the bare library. It reports the
// median of the ratios.
func BenchmarkGuard(b *testing.B) {
	for _, c := range []struct {
		name  string
		calls func(*pair)
	}{
		{"serial", func(p *pair) { p.says(p.client, "hello") }},
		{"64-in-flight", func(p *pair) {
			var wg sync.WaitGroup
			for range inFlight {
				wg.Go(func() { p.says(p.client, "hello") })
			}
			wg.Wait()
		}},
		{"1MiB", func(p *pair) { p.says(p.client, string(chunk)) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			guarded, plain := newPair(b), plainPair(b)
			guarded.ctx, plain.ctx = context.Background(), context.Background()
			var ratios []float64
			for b.Loop() {
				floor := timed(func() { c.calls(plain) })
				ratios = append(ratios, float64(timed(func() { c.calls(guarded) }))/float64(floor))
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "x-unguarded")
		})
	}
}

// chunk is what a bulk transfer sends per call.
var chunk = make([]byte, 1<<20)

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// plainPair returns a client and a server without guards.
func plainPair(b *testing.B) *pair {
	ours, theirs := sockets(b)
	served := rpc.NewConn(transport.NewStream(ours), &rpc.Options{BootstrapClient: object()})
	conn := rpc.NewConn(transport.NewStream(theirs), nil)
	client := conn.Bootstrap(context.Background())
	if err := client.Resolve(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		client.Release()
		conn.Close()
		served.Close()
	})
	return &pair{b, context.Background(), capnp.Client(client)}
}
