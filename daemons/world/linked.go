package world

import (
	"context"
	"strings"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/registry"
	"nexus/capnpgen/service"
	"nexus/daemons/discovery"
	"nexus/daemons/vat"
)

// takeLinks makes the program accept links on its endowment channel and serve the clients linked to it.
func (p *program) takeLinks(server native) (*vat.Endowments, error) {
	channel, err := dup(p.channel)
	if err != nil {
		return nil, err
	}
	conn, err := vat.ChannelOf(channel)
	if err != nil {
		return nil, err
	}
	b := vat.Endowed(conn)
	b.Serve(discovery.Facet("bundle/"+p.name), func(vat.Client) capnp.Client {
		return capnp.Client(service.Service_ServerToClient(server))
	})
	return b, b.Ready()
}

// callLinked finds the provider of a name, closes found, and calls the provider over that one link until a call fails.
// It then sends the time.
func (p *program) callLinked(conn *vat.Conn, links *vat.Endowments, name string, found chan<- struct{},
	rude bool) <-chan time.Time {
	over := make(chan time.Time, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-p.done
		cancel()
	}()
	go func() {
		defer func() { over <- p.clock.Now() }()
		client, err := p.await(ctx, conn, links, name)
		if err != nil {
			return
		}
		defer client.Release()
		for said := false; err == nil; {
			if err = ask(ctx, client, name); err == nil && !said {
				said = true
				close(found)
			}
			if rude {
				err = tooMuch(ctx, bundle.BundleMgr(client))
			}
			<-p.clock.After(findEvery)
		}
	}()
	return over
}

// callHeld finds a bundle, and calls whatever its holding leads to until a call fails for another reason than the end
// of the bundle's program. It then sends the time.
func (p *program) callHeld(conn *vat.Conn, links *vat.Endowments, name string, server native) <-chan time.Time {
	over := make(chan time.Time, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-p.done
		cancel()
	}()
	go func() {
		defer func() { over <- p.clock.Now() }()
		client, err := p.await(ctx, conn, links, name)
		if err != nil {
			return
		}
		client.Release()
		holding := links.Use(discovery.Facet(name))
		for said := false; err == nil; {
			err = holding.Call(ctx, func(client capnp.Client) error {
				version, err := versionOf(ctx, client)
				if err == nil {
					server.heard.Store(version)
				}
				return err
			})
			if err == nil && !said {
				said = true
				close(server.found)
			}
			<-p.clock.After(findEvery)
		}
	}()
	return over
}

// versionOf asks a bundle for its version.
func versionOf(ctx context.Context, client capnp.Client) (string, error) {
	answer, release := service.Service(client).Version(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return "", err
	}
	return res.Version()
}

// await looks up the name until it is registered.
func (p *program) await(ctx context.Context, conn *vat.Conn, links *vat.Endowments, name string) (capnp.Client, error) {
	services, err := conn.Bootstrap(ctx)
	if err != nil {
		return capnp.Client{}, err
	}
	defer services.Release()
	for {
		client, err := discovery.FindBy(ctx, links, registry.ServiceManager(services), name)
		if err == nil || ctx.Err() != nil {
			return client, err
		}
		<-p.clock.After(findEvery)
	}
}

// tooMuch sends a message larger than any guard allows.
func tooMuch(ctx context.Context, mgr bundle.BundleMgr) error {
	answer, release := mgr.OpenPayload(ctx,
		func(p bundle.BundleMgr_openPayload_Params) error { return p.SetName(strings.Repeat("x", 5<<20)) })
	defer release()
	_, err := answer.Struct()
	return err
}

// ask calls a bundle or BundleMgr.
func ask(ctx context.Context, client capnp.Client, name string) error {
	if strings.HasPrefix(name, "bundle/") {
		_, err := versionOf(ctx, client)
		return err
	}
	answer, release := bundle.BundleMgr(client).List(ctx, nil)
	defer release()
	_, err := answer.Struct()
	return err
}
