package guard_test

import (
	"context"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

// TestAttacks runs each attack on a real socket against a real object: the connection must end for the expected reason,
// while another connection still answers.
func TestAttacks(t *testing.T) {
	neighbour := honest(t)
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			if got := suffer(t, a); got != a.reason {
				t.Errorf("refused for %q, want %q", got, a.reason)
			}
			neighbour(t)
		})
	}
}

// suffer runs an attack, waits for the end of its connection, and returns the reason of the refusal.
func suffer(t testing.TB, a attack) guard.Reason {
	t.Helper()
	var options []guard.Option
	if a.short != nil {
		options = append(options, a.short())
	}
	conn, p, reasons := serve(t, options...)
	defer p.socket.Close()
	p.bootstrap()
	ran := make(chan struct{})
	go func() {
		defer close(ran)
		a.run(p)
	}()
	var reason guard.Reason
	select {
	case reason = <-reasons:
	case <-conn.Done():
		select {
		case reason = <-reasons:
		default:
			t.Fatal("the connection ended without a refusal")
		}
	case <-time.After(limit):
		conn.Close()
		t.Fatal("the peer was not refused")
	}
	select {
	case <-conn.Done():
	case <-time.After(limit):
		t.Fatal("the connection did not end")
	}
	p.socket.Close()
	<-ran
	return reason
}

// honest connects an honest client and returns a function that makes a call, which must succeed.
func honest(t testing.TB) func(testing.TB) {
	t.Helper()
	ours, theirs := sockets(t)
	served := vat.Connect(ours, object(),
		guard.Observe(func(r guard.Reason) { t.Errorf("an honest client was refused: %s", r) }))
	conn := vat.Connect(theirs, capnp.Client{},
		guard.Observe(func(r guard.Reason) { t.Errorf("an honest server was refused: %s", r) }))
	client, err := conn.Bootstrap(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Release()
		conn.Close()
		served.Close()
	})
	return func(t testing.TB) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		answer, release := send(ctx, client, echo, func(s capnp.Struct) error { return s.SetData(1, []byte("hello")) })
		defer release()
		got, err := answer.Struct()
		if err != nil {
			t.Fatalf("an honest call failed: %v", err)
		}
		if p, err := got.Ptr(1); err != nil || string(p.Data()) != "hello" {
			t.Fatalf("an honest call got %q, %v", p.Data(), err)
		}
	}
}

// TestSilent expects the refusal of a peer that sends no first message where one is required, and only there.
func TestSilent(t *testing.T) {
	_, p, reasons := serve(t, guard.HurryGreet(hurry))
	defer p.socket.Close()
	select {
	case got := <-reasons:
		if got != guard.Silent {
			t.Errorf("refused for %q, want %q", got, guard.Silent)
		}
	case <-time.After(limit):
		t.Fatal("the peer was not refused")
	}

	conn, p, reasons := serve(t, guard.HurryGreet(hurry))
	defer conn.Close()
	p.bootstrap()
	select {
	case got := <-reasons:
		t.Errorf("a peer that greeted was refused for %q", got)
	case <-time.After(4 * hurry):
	}
	p.socket.Close()
}
