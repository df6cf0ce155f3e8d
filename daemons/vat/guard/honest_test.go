package guard_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"capnproto.org/go/capnp/v3"
	rpccp "capnproto.org/go/capnp/v3/std/capnp/rpc"

	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

// A pair is an honest client and an honest server. Both have a guard, which must refuse neither.
type pair struct {
	testing.TB
	ctx    context.Context
	client capnp.Client // the served object
}

func newPair(t testing.TB) *pair {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	ours, theirs := sockets(t)
	served := vat.Connect(ours, object(),
		guard.Observe(func(r guard.Reason) { t.Errorf("the client was refused: %s", r) }))
	conn := vat.Connect(theirs, capnp.Client{},
		guard.Observe(func(r guard.Reason) { t.Errorf("the server was refused: %s", r) }))
	client, err := conn.Bootstrap(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Release()
		conn.Close()
		served.Close()
		cancel()
	})
	return &pair{t, ctx, client}
}

// data calls a method with data and a capability, and returns the data in the result.
func (p *pair) data(target capnp.Client, method uint16, data string, give capnp.Client) (string, error) {
	answer, release := send(p.ctx, target, method, func(s capnp.Struct) error {
		if give.IsValid() {
			if err := setCap(s, 0, give.AddRef()); err != nil {
				return err
			}
		}
		return s.SetData(1, []byte(data))
	})
	defer release()
	return dataOf(answer)
}

func dataOf(answer *capnp.Answer) (string, error) {
	s, err := answer.Struct()
	if err != nil {
		return "", err
	}
	p, err := s.Ptr(1)
	return string(p.Data()), err
}

// says checks that a capability echoes data.
func (p *pair) says(target capnp.Client, data string) {
	p.Helper()
	if got, err := p.data(target, echo, data, capnp.Client{}); err != nil || got != data {
		p.Errorf("echo of %q: got %q, %v", data, got, err)
	}
}

// fails checks that a call fails and that the connection survives.
func (p *pair) fails(target capnp.Client) {
	p.Helper()
	if _, err := p.data(target, echo, "x", capnp.Client{}); err == nil {
		p.Error("a call on nothing succeeded")
	}
	p.says(p.client, "still here")
}

func TestHonestConcurrentCalls(t *testing.T) {
	p := newPair(t)
	var wg sync.WaitGroup
	for i := range guard.MaxCalls + guard.MaxWaiting/2 {
		wg.Go(func() {
			for j := range 3 {
				p.says(p.client, fmt.Sprint(i, j))
			}
		})
	}
	wg.Wait()
}

func TestHonestChunks(t *testing.T) {
	p := newPair(t)
	chunk := string(bytes.Repeat([]byte("chunk of"), 1<<17))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 2 {
				p.says(p.client, chunk)
			}
		})
	}
	wg.Wait()
}

// TestHonestMessageOfTheLargestSize sends a message of the largest size; the attack is one word larger.
func TestHonestMessageOfTheLargestSize(t *testing.T) {
	p := newPair(t)
	p.says(p.client, string(make([]byte, guard.MaxMessage-512)))
}

func TestHonestCallbacks(t *testing.T) {
	p := newPair(t)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			own := object()
			defer own.Release()
			data := fmt.Sprint(i)
			if got, err := p.data(p.client, callback, data, own); err != nil || got != data {
				t.Errorf("callback got %q, %v, want %q", got, err, data)
			}
		})
	}
	wg.Wait()
}

// TestHonestPipelines calls on answers that have not arrived yet, MaxTransform calls deep, and on one that turns out to
// be an exception.
func TestHonestPipelines(t *testing.T) {
	p := newPair(t)
	target := p.client
	var releases []func()
	for range guard.MaxTransform {
		answer, release := send(p.ctx, target, fresh, nil)
		releases = append(releases, release)
		target = answer.Field(0, nil).Client()
	}
	p.says(target, "deep")
	for _, release := range releases {
		release()
	}
	answer, release := send(p.ctx, p.client, fail, nil)
	defer release()
	p.fails(answer.Field(0, nil).Client())
}

// TestCallsOnNothing calls capabilities that an answer turns out not to contain: the guard returns an exception, and
// the connection survives.
func TestCallsOnNothing(t *testing.T) {
	for _, c := range []struct {
		name   string
		method uint16
		field  uint16
	}{
		{"a null field", fresh, 1},
		{"a field that is not there", fresh, 9},
		{"results without capabilities", large, 0},
		{"empty results", empty, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, p, _ := serve(t)
			defer conn.Close()
			defer p.socket.Close()
			p.bootstrap()
			p.call(1, imported(served), c.method)
			p.hear(rpccp.Message_Which_return)
			p.call(2, answered(1, c.field), echo)
			if !p.hear(rpccp.Message_Which_return) {
				t.Error("the connection has ended")
			}
		})
	}
}

// TestHonestPromisesAsParameters passes capabilities of answers that have not arrived yet.
func TestHonestPromisesAsParameters(t *testing.T) {
	p := newPair(t)
	for i := range 50 {
		made, release := send(p.ctx, p.client, fresh, nil)
		promised := made.Field(0, nil).Client()
		back, releaseBack := send(p.ctx, p.client, echo, func(s capnp.Struct) error {
			return setCap(s, 0, promised.AddRef())
		})
		p.says(back.Field(0, nil).Client(), fmt.Sprint(i))
		releaseBack()
		release()
	}
}

// TestHonestCapabilitiesComeBack passes one of our objects to the peer, gets it back, and calls it before and after,
// which exercises embargoes.
func TestHonestCapabilitiesComeBack(t *testing.T) {
	p := newPair(t)
	for i := range 20 {
		own := object()
		back, release := send(p.ctx, p.client, echo, func(s capnp.Struct) error { return setCap(s, 0, own.AddRef()) })
		p.says(back.Field(0, nil).Client(), fmt.Sprint("before ", i))
		if _, err := back.Struct(); err != nil {
			t.Fatal(err)
		}
		p.says(back.Field(0, nil).Client(), fmt.Sprint("after ", i))
		release()
		own.Release()
	}
}

// TestHonestPromisesResolve passes a promise that is resolved later: to our object, to the peer's, and to an error.
func TestHonestPromisesResolve(t *testing.T) {
	p := newPair(t)
	for i := range 20 {
		promise, resolver := capnp.NewLocalPromise[capnp.Client]()
		got := make(chan string, 1)
		go func() {
			data, err := p.data(p.client, callback, "promised", promise)
			got <- fmt.Sprint(data, err)
		}()
		want := "promised<nil>"
		switch i % 3 {
		case 0:
			resolver.Fulfill(object())
		case 1:
			resolver.Fulfill(p.client.AddRef())
		case 2:
			resolver.Reject(fmt.Errorf("never"))
			want = ""
		}
		if data := <-got; want != "" && data != want {
			t.Errorf("a call through a promise got %q, want %q", data, want)
		}
		promise.Release()
		p.says(p.client, "on")
	}
}

// TestHonestCancel cancels calls: some in flight, some that wait for those, and some that wait for room.
func TestHonestCancel(t *testing.T) {
	p := newPair(t)
	ctx, cancel := context.WithCancel(p.ctx)
	var wg sync.WaitGroup
	for range guard.MaxCalls * 2 {
		answer, release := send(ctx, p.client, block, nil)
		next, releaseNext := send(ctx, answer.Field(0, nil).Client(), echo, nil)
		wg.Go(func() {
			defer releaseNext()
			defer release()
			if _, err := next.Struct(); err == nil {
				t.Error("a cancelled call succeeded")
			}
		})
	}
	cancel()
	wg.Wait()
	p.says(p.client, "still here")
}

// TestHonestReuse makes the same calls again and again, so that both sides reuse ids.
func TestHonestReuse(t *testing.T) {
	p := newPair(t)
	for i := range 300 {
		answer, release := send(p.ctx, p.client, fresh, nil)
		p.says(answer.Field(0, nil).Client(), fmt.Sprint(i))
		release()
	}
}

// TestHonestOrder sends calls without waiting: on a promise, and on its resolution. They must arrive in the order sent.
func TestHonestOrder(t *testing.T) {
	p := newPair(t)
	answer, release := send(p.ctx, p.client, fresh, nil)
	defer release()
	target := answer.Field(0, nil).Client()
	type sent struct {
		answer  *capnp.Answer
		release func()
	}
	var all []sent
	for i := range 100 {
		a, r := send(p.ctx, target, count, func(s capnp.Struct) error { return s.SetData(1, []byte(fmt.Sprint(i))) })
		all = append(all, sent{a, r})
	}
	for i, s := range all {
		if got, err := dataOf(s.answer); err != nil || got != fmt.Sprint(i) {
			t.Errorf("call %d arrived as number %q, %v", i, got, err)
		}
		s.release()
	}
}

// TestPeerDiesInCallback ends the client while a method of the server waits for it: the method must return.
func TestPeerDiesInCallback(t *testing.T) {
	ours, theirs := sockets(t)
	over := make(chan error, 1)
	served := vat.Connect(ours, waiter(over))
	conn := vat.Connect(theirs, capnp.Client{})
	client, err := conn.Bootstrap(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Release()
	own := object()
	defer own.Release()
	_, release := send(context.Background(), client, 0,
		func(s capnp.Struct) error { return setCap(s, 0, own.AddRef()) })
	defer release()
	<-over // it has started to wait
	conn.Close()
	if err := <-over; !vat.Disconnected(err) {
		t.Errorf("the method's own call ended with %v, want disconnected", err)
	}
	<-served.Done()
}
