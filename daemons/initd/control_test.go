package initd

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/vat"
)

// TestIdleOperatorsGiveWay fills every place on the control socket with operators who have long been idle: another one
// gets in. While they have only just spoken, nobody does.
func TestIdleOperatorsGiveWay(t *testing.T) {
	c := &controlSocket{conns: map[*vat.Conn]struct{}{}}
	for range maxOperators {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		conn := vat.Connect(ours, capnp.Client{})
		defer conn.Close()
		c.conns[conn] = struct{}{}
	}
	if c.evict(time.Now()) {
		t.Error("an operator who has only just come had to go")
	}
	if !c.evict(time.Now().Add(2 * maxIdle)) {
		t.Error("idle operators hold every place")
	}
	if len(c.conns) != maxOperators-1 {
		t.Errorf("%d operators are left, want %d", len(c.conns), maxOperators-1)
	}
}

// TestBusyOperatorStays has one with a call under way, however long it is silent.
func TestBusyOperatorStays(t *testing.T) {
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	near, err := net.Dial("unix", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	began, end := make(chan struct{}), make(chan struct{})
	served := vat.Connect(far, capnp.NewClient(blocker{began, end}))
	defer served.Close()
	conn := vat.Connect(near, capnp.Client{})
	defer conn.Close()
	client, err := conn.Bootstrap(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Release()
	_, release := client.SendCall(context.Background(), capnp.Send{})
	defer release()
	<-began
	c := &controlSocket{conns: map[*vat.Conn]struct{}{served: {}}}
	if c.evict(time.Now().Add(2 * maxIdle)) {
		t.Error("an operator with a call under way had to go")
	}
	close(end)
}

// A blocker answers no call before it may.
type blocker struct{ began, end chan struct{} }

func (b blocker) Recv(_ context.Context, r capnp.Recv) capnp.PipelineCaller {
	go func() {
		close(b.began)
		<-b.end
		r.Reject(context.Canceled)
	}()
	return nil
}

func (b blocker) Send(context.Context, capnp.Send) (*capnp.Answer, capnp.ReleaseFunc) {
	return capnp.ErrorAnswer(capnp.Method{}, context.Canceled), func() {}
}
func (b blocker) Brand() capnp.Brand { return capnp.Brand{} }
func (b blocker) Shutdown()          {}
func (b blocker) String() string     { return "blocker" }
