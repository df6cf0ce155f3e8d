package qemu

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/operator"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// A life of the guest has an Operator that knows no method.
type life struct{ operator.Operator_Server }

func (life) Reboot(context.Context, operator.Operator_reboot) error {
	return capnp.Unimplemented("reboot")
}

// begin is this host's end of a connection to a new life of the guest.
func begin(t *testing.T) *vat.Conn {
	near, far := net.Pipe()
	guest := vat.Connect(far, capnp.Client(operator.Operator_ServerToClient(life{})))
	t.Cleanup(guest.Close)
	return vat.Connect(near, capnp.Client{})
}

// An operator who comes while the guest begins anew waits for its next life: what he had got from the last one would be
// dead, and nobody would hang up on him any more.
func TestWhoComesInBetweenWaits(t *testing.T) {
	w := newWay("")
	if err := w.listen(filepath.Join(t.TempDir(), "control.sock")); err != nil {
		t.Fatal(err)
	}
	defer w.close()
	first := begin(t)
	w.open(first)
	first.Close()
	w.hangUp()

	socket, err := plat.DialPath(w.path)
	if err != nil {
		t.Fatal(err)
	}
	conn := vat.Connect(socket, capnp.Client{})
	defer conn.Close()
	second := begin(t)
	defer second.Close()
	w.open(second)

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	client, err := conn.Bootstrap(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Release()
	answer, release := operator.Operator(client).Reboot(ctx, nil)
	defer release()
	if _, err := answer.Struct(); err == nil || !capnp.IsUnimplemented(err) {
		t.Errorf("the next life answers %v", err)
	}
	w.hangUp()
	<-conn.Done()
}
