package keystored

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/keystore"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/trust"
)

// Run runs the daemon until ctx ends.
func Run(ctx context.Context, b *vat.Endowments, host plat.Host) error {
	log := logclient.New("keystored", b.Use("LogSink"))
	defer log.Close()
	b.OnRefused(log.Refused)
	dir, err := b.Dir(ctx, "trust")
	if err != nil {
		return err
	}
	defer dir.Close()
	rootsDir, err := b.Dir(ctx, "roots")
	if err != nil {
		return err
	}
	defer rootsDir.Close()
	keys := &keys{dir: dir, store: newStore(rootsDir), log: log, clock: clockOf(host.Clock)}
	if err := keys.start(); err != nil {
		return err
	}
	keys.serve(b)
	self := keystore.TrustAnchors_ServerToClient(&reader{keys})
	defer self.Release()
	b.OnPing(func() { vat.Served(self.List(ctx, nil)) })
	if err := b.Ready(); err != nil {
		return err
	}
	keys.watchClock(ctx, host.Clock)
	return nil
}

// serve serves the facets.
func (k *keys) serve(b *vat.Endowments) {
	b.Serve("Verifier", func(c vat.Client) capnp.Client {
		if len(c.Grants) != 1 || !known(trust.Role(c.Grants[0])) {
			k.log.Error("cannot serve verifier: it needs one role", "client", c.Name)
			return capnp.Client{}
		}
		return capnp.Client(keystore.Verifier_ServerToClient(&verifier{k, trust.Role(c.Grants[0])}))
	})
	b.Serve("TrustAnchors", func(vat.Client) capnp.Client {
		return capnp.Client(keystore.TrustAnchors_ServerToClient(&reader{k}))
	})
	b.Serve("AppVerifier", func(vat.Client) capnp.Client {
		return capnp.Client(keystore.Verifier_ServerToClient(&verifier{k, trust.RoleApps}))
	})
	b.Serve("SetAdmission", func(vat.Client) capnp.Client {
		return capnp.Client(keystore.SetAdmission_ServerToClient(&admission{k, trust.RoleSystem}))
	})
	b.Serve("AppAdmission", func(vat.Client) capnp.Client {
		return capnp.Client(keystore.SetAdmission_ServerToClient(&admission{k, trust.RoleApps}))
	})
	b.Serve("TrustReload", func(vat.Client) capnp.Client {
		return capnp.Client(keystore.TrustReload_ServerToClient(&reloader{k}))
	})
}
