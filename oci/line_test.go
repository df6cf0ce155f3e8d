package oci_test

import (
	"io"
	"net"
	"testing"
	"time"

	"nexus/oci"
)

// A connection with a rate receives no more than that, but for the slice that it may receive at once.
func TestRate(t *testing.T) {
	const rate, sent = 64 << 10, 16 << 10
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Write(make([]byte, sent))
	}()
	began := time.Now()
	conn, err := oci.Line{Rate: rate}.Dial(&net.Dialer{})(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := io.ReadAll(conn); err != nil || len(got) != sent {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
	// never faster, however slow the machine is
	if took, least := time.Since(began), time.Second*(sent-rate/20)/rate; took < least {
		t.Errorf("%d bytes came in %v, which takes %v at least", sent, took, least)
	}
}
