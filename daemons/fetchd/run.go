package fetchd

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/fetch"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/oci"
)

// Run runs the daemon until ctx ends.
func Run(ctx context.Context, b *vat.Endowments, host plat.Host) error {
	return RunAt(ctx, b, host, oci.DefaultPace())
}

// RunAt is Run at another pace.
func RunAt(ctx context.Context, b *vat.Endowments, host plat.Host, pace oci.Pace) error {
	log := logclient.New("fetchd", b.Use("LogSink"))
	defer log.Close()
	b.OnRefused(log.Refused)

	access, err := learn(ctx, b)
	if err != nil {
		return err
	}
	s := &server{log: log, clock: host.Clock, stager: b.Use("UpdateStage"), access: access, pace: pace,
		turn: make(chan struct{}, 1)}
	b.Serve("Fetcher", func(c vat.Client) capnp.Client {
		return capnp.Client(fetch.Fetcher_ServerToClient(&client{s, slices.Contains(c.Grants, takesUp)}))
	})
	b.Serve("AppFetcher", func(c vat.Client) capnp.Client {
		return capnp.Client(fetch.AppFetcher_ServerToClient(&appClient{&client{s, true}, scopeOf(c.Grants)}))
	})
	self := fetch.Fetcher_ServerToClient(&client{server: s})
	defer self.Release()
	b.OnPing(func() { vat.Served(self.Fetch(ctx, nothing)) })
	if err := b.Ready(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// takesUp is the method of Operator by which a client may switch to what is fetched for it (daemons/initd).
const takesUp = "updated"

// nothing sets no reference, which is refused at once.
func nothing(fetch.Fetcher_fetch_Params) error { return nil }

// An access is what the daemon was endowed with to reach registries.
type access struct {
	credentials, roots *os.File // empty: none
	rate               int64    // bytes a second at most; 0: no limit
}

func learn(ctx context.Context, b *vat.Endowments) (a access, err error) {
	if a.credentials, err = b.File(ctx, "registry-credentials"); err != nil {
		return a, err
	}
	if a.roots, err = b.File(ctx, "registry-ca"); err != nil {
		return a, err
	}
	values, err := b.Setting(ctx, "registry-rate")
	if err == nil && len(values) != 1 {
		err = fmt.Errorf("cannot use registry-rate: it has %d values", len(values))
	}
	if err == nil {
		a.rate, err = strconv.ParseInt(values[0], 10, 64)
	}
	return a, err
}
