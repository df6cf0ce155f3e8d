package execd

import (
	"net"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// A link on which execd stands in for a program ends with it, and so does one that comes too late.
func TestProxiedLinksEndWithTheProgram(t *testing.T) {
	parent, channel, err := plat.PacketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer channel.Close()
	l, err := newLinks("web", parent, plat.RealClock{}, newForwarder(func(string, uint64) error { return nil }))
	if err != nil {
		t.Fatal(err)
	}
	stand := func(link uint64) *vat.Conn {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { theirs.Close() })
		conn := vat.Connect(ours, capnp.Client{})
		l.standFor(link, conn)
		return conn
	}
	before := stand(1)
	l.close()
	for what, conn := range map[string]*vat.Conn{"before": before, "afterwards": stand(2)} {
		select {
		case <-conn.Done():
		case <-time.After(time.Minute):
			t.Errorf("a link from %s goes on", what)
			conn.Close()
		}
	}
}
