package guard_test

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

// maxSeed bounds one seed, in bytes; floods have tests of their own.
const maxSeed = 64 << 10

// FuzzGuard lets a peer that holds the served object send arbitrary bytes. The process must survive and the connection
// must end when the peer has gone. The seeds are all attacks and an honest client's traffic.
func FuzzGuard(f *testing.F) {
	for _, a := range attacks() {
		if said := said(f, a); len(said) <= maxSeed && a.short == nil {
			f.Add(said)
		}
	}
	f.Add(honestTraffic(f))
	f.Fuzz(func(t *testing.T, said []byte) {
		conn, p, _ := serve(t, guard.HurryFrame(hurry), guard.HurryStall(hurry))
		p.bootstrap()
		p.drain()
		p.raw(said)
		p.socket.CloseWrite()
		select {
		case <-conn.Done():
		case <-time.After(limit):
			t.Error("the connection does not end")
		}
		p.socket.Close()
	})
}

// said returns what an attacker sends once it has the object.
func said(t testing.TB, a attack) []byte {
	var record bytes.Buffer
	conn, p, _ := serve(t)
	p.record = &record
	p.bootstrap()
	if a.short != nil {
		conn.Close()
		p.socket.Close()
		return nil
	}
	a.run(p)
	conn.Close()
	p.socket.Close()
	return record.Bytes()
}

// A recorder is a socket that records what is written to it.
type recorder struct {
	net.Conn
	mu   sync.Mutex
	said bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said.Write(b)
	return r.Conn.Write(b)
}

// honestTraffic returns the bytes that an honest client sends while it calls, gets called back, pipelines, cancels, and
// passes promises.
func honestTraffic(t testing.TB) []byte {
	ours, theirs := sockets(t)
	r := &recorder{Conn: theirs}
	served, conn := vat.Connect(ours, object()), vat.Connect(r, capnp.Client{})
	defer served.Close()
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	client, err := conn.Bootstrap(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Release()
	p := &pair{t, ctx, client}
	own := object()
	defer own.Release()
	p.says(client, "hello")
	p.data(client, callback, "back", own)
	answer, release := send(ctx, client, fresh, nil)
	deep := answer.Field(0, nil).Client()
	p.says(deep, "deep")
	p.data(client, callback, "back", deep)
	p.data(answer.Field(1, nil).Client(), echo, "nothing", capnp.Client{})
	release()
	back, release := send(ctx, client, echo, func(s capnp.Struct) error { return setCap(s, 0, own.AddRef()) })
	p.says(back.Field(0, nil).Client(), "own")
	release()
	given, giveUp := context.WithCancel(ctx)
	blocked, release := send(given, client, block, nil)
	giveUp()
	blocked.Struct()
	release()
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.said.Bytes())
}
