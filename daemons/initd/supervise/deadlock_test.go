package supervise

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// A deadlocked daemon serves, and then waits for ever where its work is done. It launches itself.
type deadlocked struct {
	endowments *vat.Endowments
	ended      chan struct{}
}

func (d *deadlocked) Launch(_ string, channel, _ *os.File) (plat.Process, error) {
	own, err := vat.Socket(channel)
	if err != nil {
		return nil, err
	}
	d.endowments = vat.Endowed(own.(*net.UnixConn))
	d.endowments.OnPing(func() { <-d.ended })
	return d, d.endowments.Ready()
}

func (d *deadlocked) PID() int              { return 1 }
func (d *deadlocked) Done() <-chan struct{} { return d.ended }
func (d *deadlocked) Gone() <-chan struct{} { return d.ended }
func (d *deadlocked) Exit() plat.Exit       { return plat.Exit{Signal: 9} }
func (d *deadlocked) Terminate()            {}
func (d *deadlocked) Kill()                 { close(d.ended) }

// limit bounds each wait of these tests.
const limit = 5 * time.Minute

// TestADeadlockedDaemonIsHung gives up a daemon whose process takes all that comes over its channel, and whose work
// stands still.
func TestADeadlockedDaemonIsHung(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	d := &deadlocked{ended: make(chan struct{})}
	c, _ := newborn(d, 200*time.Millisecond)
	c.Host.Clock = plat.RealClock{}
	if exit, err := c.live(ctx); !errors.Is(err, errHung) || exit.Signal != 9 {
		t.Errorf("its life ended with %v, %v, want to be given up", exit, err)
	}
	d.endowments.Close()
}
