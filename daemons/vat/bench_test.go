package vat_test

import (
	"context"
	"io"
	"slices"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/keystore"
	"nexus/daemons/vat/vattest"
)

// BenchmarkCallToEcho times a call over a granted socket against an eight-byte round trip over a bare socket pair in
// the same run. It reports the median of the ratios.
func BenchmarkCallToEcho(b *testing.B) {
	call, echo := caller(b), echoer(b)
	var ratios []float64
	for b.Loop() {
		floor := timed(echo)
		ours := timed(call)
		ratios = append(ratios, float64(ours)/float64(floor))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x-echo")
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// caller returns a function that makes one call between two vats.
func caller(b *testing.B) func() {
	client := vattest.Link(b,
		capnp.Client(keystore.TrustAnchors_ServerToClient(&anchors{name: "x", closed: make(chan struct{})})))
	return func() {
		answer, release := keystore.TrustAnchors(client).List(context.Background(), nil)
		defer release()
		if _, err := answer.Struct(); err != nil {
			b.Fatal(err)
		}
	}
}

// echoer returns a function that makes one round trip over a bare socket pair.
func echoer(b *testing.B) func() {
	near, far := vattest.Sockets(b)
	b.Cleanup(func() { near.Close(); far.Close() })
	go io.Copy(far, far)
	word := make([]byte, 8)
	return func() {
		if _, err := near.Write(word); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(near, word); err != nil {
			b.Fatal(err)
		}
	}
}
