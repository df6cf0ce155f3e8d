package vat_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/rpc"
	"capnproto.org/go/capnp/v3/rpc/transport"

	"nexus/capnpgen/keystore"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
	"nexus/daemons/vat/vattest"
)

// slowAnchors answers when the test says so, whether or not the caller has given up.
type slowAnchors struct {
	called  atomic.Int32
	release chan struct{}
}

func (s *slowAnchors) List(_ context.Context, call keystore.TrustAnchors_list) error {
	call.Go()
	s.called.Add(1)
	<-s.release
	_, err := call.AllocResults()
	return err
}

func (*slowAnchors) Root(context.Context, keystore.TrustAnchors_root) error { return nil }

// pair connects a client to a capability served on the other end, whose guard gets these options.
func pair(t *testing.T, served capnp.Client, options ...guard.Option) (client capnp.Client, near, far *vat.Conn) {
	t.Helper()
	ours, theirs := vattest.Sockets(t)
	far = vat.Connect(theirs, served, options...)
	near = vat.Connect(ours, capnp.Client{})
	t.Cleanup(near.Close)
	return vattest.Bootstrap(t, near), near, far
}

// foreign serves a capability on a connection without a guard, as a program with another RPC library would, and returns
// our reference to it.
func foreign(t *testing.T, served capnp.Client) capnp.Client {
	t.Helper()
	ours, theirs := vattest.Sockets(t)
	conn := rpc.NewConn(transport.NewStream(theirs), &rpc.Options{BootstrapClient: served})
	t.Cleanup(func() { conn.Close() })
	near := vat.Connect(ours, capnp.Client{})
	t.Cleanup(near.Close)
	return vattest.Bootstrap(t, near)
}

// TestAForwardedCallCountsUntilItHasReturned has a client make calls through a forwarding connection and give them up.
// The calls in flight behind it never exceed the limit of one connection, even after the client has gone. When all have
// returned, the connection ends and everything is released.
func TestAForwardedCallCountsUntilItHasReturned(t *testing.T) {
	slow := &slowAnchors{release: make(chan struct{})}
	served := foreign(t, capnp.Client(keystore.TrustAnchors_ServerToClient(slow)))
	client, near, far := pair(t, served, guard.Forwards())
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for range 4 {
		wanted := min(slow.called.Load()+100, guard.MaxCalls)
		call, giveUp := context.WithCancel(ctx)
		var answers []keystore.TrustAnchors_list_Results_Future
		for range 100 {
			answer, _ := keystore.TrustAnchors(client).List(call, nil)
			answers = append(answers, answer)
		}
		for slow.called.Load() < wanted && ctx.Err() == nil {
			time.Sleep(time.Millisecond) // until the calls have reached the other side
		}
		giveUp()
		for _, answer := range answers {
			answer.Struct()
		}
	}
	if called := slow.called.Load(); called != guard.MaxCalls {
		t.Errorf("%d calls are in flight, want %d", called, guard.MaxCalls)
	}
	near.Close()
	select {
	case <-far.Done():
		t.Error("the connection ended while calls were in flight")
	case <-time.After(100 * time.Millisecond):
	}
	close(slow.release)
	within(t, "the end of the connection", far.Done())
	if called := slow.called.Load(); called != guard.MaxCalls {
		t.Errorf("%d calls arrived, want %d", called, guard.MaxCalls)
	}
}

// TestAForwardedCallIsAnswered has a forwarding connection carry calls that are awaited, and calls that are given up
// and return later: both free their places.
func TestAForwardedCallIsAnswered(t *testing.T) {
	slow := &slowAnchors{release: make(chan struct{})}
	client, _, _ := pair(t, foreign(t, capnp.Client(keystore.TrustAnchors_ServerToClient(slow))), guard.Forwards())
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	call, giveUp := context.WithCancel(ctx)
	for range guard.MaxCalls {
		keystore.TrustAnchors(client).List(call, nil)
	}
	for slow.called.Load() < guard.MaxCalls && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	giveUp()
	close(slow.release)
	for range 3 * guard.MaxCalls {
		answer, release := keystore.TrustAnchors(client).List(ctx, nil)
		if _, err := answer.Struct(); err != nil {
			t.Fatal(err)
		}
		release()
	}
}

// endable serves a capability on a connection of its own, and returns our reference to it and our end.
func endable(t *testing.T, served capnp.Client) (capnp.Client, *vat.Conn) {
	t.Helper()
	client, near, far := pair(t, served)
	t.Cleanup(far.Close)
	return client, near
}

// TestAForwardingConnectionEndsWithItsTarget ends the connection that another one forwards to. A call then fails as
// disconnected, and by then its connection has ended, so that nobody calls there again.
func TestAForwardingConnectionEndsWithItsTarget(t *testing.T) {
	for range 50 {
		slow := &slowAnchors{release: make(chan struct{})}
		target, behind := endable(t, capnp.Client(keystore.TrustAnchors_ServerToClient(slow)))
		client, near, _ := pair(t, target, guard.Forwards(), guard.Until(behind.Ended))
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		inFlight, release := keystore.TrustAnchors(client).List(ctx, nil)
		for slow.called.Load() == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond) // until the call has reached the other side
		}
		go behind.Close()
		_, err := inFlight.Struct()
		if !vat.Disconnected(err) || !near.Ended() {
			t.Errorf("the call: %v, the connection has ended: %t", err, near.Ended())
		}
		close(slow.release)
		release()
		cancel()
	}
}

// TestARelayedCallFailsAsDisconnected calls a capability of a connection that has ended, through one that relays it.
func TestARelayedCallFailsAsDisconnected(t *testing.T) {
	slow := &slowAnchors{release: make(chan struct{})}
	target, behind := endable(t, capnp.Client(keystore.TrustAnchors_ServerToClient(slow)))
	client, near, _ := pair(t, target, guard.Relays())
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	behind.Close()
	answer, release := keystore.TrustAnchors(client).List(ctx, nil)
	defer release()
	if _, err := answer.Struct(); !vat.Disconnected(err) {
		t.Errorf("the call: %v, want disconnected", err)
	}
	if near.Ended() {
		t.Error("the connection that relays has ended, too")
	}
}
