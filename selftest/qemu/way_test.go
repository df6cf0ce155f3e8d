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
	"nexus/selftest/kit"
)

// An instance of the guest serves an Operator without methods.
type instance struct{ operator.Operator_Server }

func (instance) Reboot(context.Context, operator.Operator_reboot) error {
	return capnp.Unimplemented("reboot")
}

// begin returns this host's end of a connection to a new instance of the guest.
func begin(t *testing.T) *vat.Conn {
	near, far := net.Pipe()
	guest := vat.Connect(far, capnp.Client(operator.Operator_ServerToClient(instance{})))
	t.Cleanup(guest.Close)
	return vat.Connect(near, capnp.Client{})
}

// TestWhoComesInBetweenWaits has an operator connect while the guest restarts. It must wait for the next instance of
// the guest: the Operator of the last one is dead, and nothing would close that connection any more.
func TestWhoComesInBetweenWaits(t *testing.T) {
	w := newWay("")
	kit.Must(t, w.listen(filepath.Join(t.TempDir(), "control.sock")))
	defer w.close()
	first := begin(t)
	w.open(first)
	first.Close()
	w.hangUp()

	socket, err := plat.DialPath(w.path)
	kit.Must(t, err)
	conn := vat.Connect(socket, capnp.Client{})
	defer conn.Close()
	second := begin(t)
	defer second.Close()
	w.open(second)

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	client, err := conn.Bootstrap(ctx)
	kit.Must(t, err)
	defer client.Release()
	answer, release := operator.Operator(client).Reboot(ctx, nil)
	defer release()
	if _, err := answer.Struct(); err == nil || !capnp.IsUnimplemented(err) {
		t.Errorf("the next instance answered %v", err)
	}
	w.hangUp()
	<-conn.Done()
}
