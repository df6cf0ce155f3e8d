package vat_test

import (
	"context"
	"io"
	"slices"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/keystore"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
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
	ours, theirs, err := plat.StreamPair()
	if err != nil {
		b.Fatal(err)
	}
	server, err := vat.Socket(theirs)
	if err != nil {
		b.Fatal(err)
	}
	socket, err := vat.Socket(ours)
	if err != nil {
		b.Fatal(err)
	}
	ours.Close()
	theirs.Close()
	served := vat.Connect(server,
		capnp.Client(keystore.TrustAnchors_ServerToClient(&anchors{name: "x", closed: make(chan struct{})})))
	conn := vat.Connect(socket, capnp.Client{})
	b.Cleanup(func() { conn.Close(); served.Close() })
	client, err := conn.Bootstrap(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Release)
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
	ours, theirs, err := plat.StreamPair()
	if err != nil {
		b.Fatal(err)
	}
	near, err := vat.Socket(ours)
	if err != nil {
		b.Fatal(err)
	}
	far, err := vat.Socket(theirs)
	if err != nil {
		b.Fatal(err)
	}
	ours.Close()
	theirs.Close()
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
