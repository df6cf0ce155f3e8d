package execd

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/exec"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// Run runs the daemon.
func Run(ctx context.Context, b *vat.Endowments, host plat.Host) error {
	log := logclient.New("execd", b.Use("LogSink"))
	defer log.Close()
	b.OnRefused(log.Refused)

	s, err := newSupervisor(ctx, b, host, log)
	if err != nil {
		return err
	}
	b.OnForwarded(s.forwarder)
	b.OnSocket(s.sockets.Take)
	b.Serve("ServiceWatch", func(vat.Client) capnp.Client {
		return capnp.Client(exec.ServiceWatch_ServerToClient(&watchServer{s}))
	})
	b.Serve("ServiceHealth", func(vat.Client) capnp.Client {
		return capnp.Client(exec.ServiceHealth_ServerToClient(&healthServer{system: s}))
	})
	runs := &atomic.Uint64{}
	b.Serve("Exec", func(c vat.Client) capnp.Client {
		return capnp.Client(exec.Exec_ServerToClient(&execServer{s, logclient.CallerOf(c), runs}))
	})
	self := exec.ServiceWatch_ServerToClient(&watchServer{s})
	defer self.Release()
	b.OnPing(func() { vat.Served(self.List(ctx, nil)) })
	if err := b.Ready(); err != nil {
		return err
	}
	reportConfinement(log)
	s.run(ctx)
	return nil
}

// newSupervisor takes what the supervisor needs from the endowments.
func newSupervisor(ctx context.Context, b *vat.Endowments, host plat.Host, log *logclient.Log) (*supervisor, error) {
	settle, err := settleTime(ctx, b)
	if err != nil {
		return nil, err
	}
	groups, err := groupsOf(ctx, b)
	if err != nil {
		return nil, err
	}
	users, err := usersOf(ctx, b)
	if err != nil {
		return nil, err
	}
	payloads := newPayloads(b.Use("BundleMgr"), host.Clock, plat.Verity{})
	shelf, err := treesOf(ctx, b, payloads, log)
	if err != nil {
		return nil, err
	}
	forwarder := newForwarder(b.ReportEnded)
	m := &means{
		clock: host.Clock, log: log, settle: settle, lasting: ctx,
		bundles:    payloads.bundles,
		registrars: b.Use("BundleRegistrar"),
		introducer: &introducer{holder: b.Use("BundleIntroducer"), forwarder: forwarder, log: log},
		forwarder:  forwarder,
		sockets:    &sockets{holder: b.Use("BundleSockets"), clock: host.Clock, log: log},
		trees:      shelf,
	}
	m.launcher = &launcher{
		host: host, log: log, groups: groups, payloads: payloads, sockets: m.sockets, trees: m.trees,
		forwarder: m.forwarder, introducer: m.introducer, starting: make(tokens, maxLoading),
	}
	s := &supervisor{means: m, changed: vat.NewNotifier()}
	s.apps = newAppRuns(s, users)
	return s, nil
}

// groupsOf takes the place for bundles' control groups from the endowments; nil if the machine has none.
func groupsOf(ctx context.Context, b *vat.Endowments) (*plat.Groups, error) {
	setting, err := b.Setting(ctx, "groups")
	if err != nil || !slices.Equal(setting, []string{"true"}) {
		return nil, err
	}
	root, err := b.Dir(ctx, "groups")
	if err != nil {
		return nil, err
	}
	return plat.NewGroups(root), nil
}

// usersOf takes the range of bundles' users from the endowments.
func usersOf(ctx context.Context, b *vat.Endowments) (plat.UserRange, error) {
	setting, err := b.Setting(ctx, "users")
	if err != nil {
		return plat.UserRange{}, err
	}
	first, err := strconv.ParseUint(strings.Join(setting, " "), 10, 32)
	if err != nil {
		return plat.UserRange{}, fmt.Errorf("cannot use setting users: %w", err)
	}
	return plat.PayloadShare(uint32(first))
}

func settleTime(ctx context.Context, b *vat.Endowments) (time.Duration, error) {
	setting, err := b.Setting(ctx, "settle")
	if err != nil {
		return 0, err
	}
	if len(setting) != 1 {
		return 0, fmt.Errorf("cannot use setting settle: it has %d values", len(setting))
	}
	settle, err := time.ParseDuration(setting[0])
	if err != nil {
		return 0, fmt.Errorf("cannot use setting settle: %w", err)
	}
	return settle, nil
}
