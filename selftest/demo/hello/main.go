// Command hello is the native service of the demo sets: it exports Service on fd 3 and answers with the version it was
// built as. It takes links on fd 4, and calls BundleMgr over one of its own.
//
//	go build -ldflags '-X main.version=1.1.0 -X main.mode=exit' ./selftest/demo/hello
package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/registry"
	"nexus/capnpgen/service"
	"nexus/daemons/discovery"
	"nexus/daemons/vat"
)

// Set at link time, never changed.
var (
	version = "0.0.0" // SemVer; the version in its manifest
	// ok, exit (exits with 3), failing (reports failure), starting (stays in that state), reading (reads files)
	mode = "ok"
)

// exitCode is the exit code in mode exit.
const exitCode = 3

// serviceFD is the descriptor of a bundle's connection (schema/service.capnp).
const serviceFD = 3

func main() {
	fmt.Printf("hello %s starts\n", version)
	if mode == "exit" {
		os.Exit(exitCode)
	}
	if err := serve(); err != nil {
		fmt.Fprintf(os.Stderr, "hello: %v\n", err)
		os.Exit(1)
	}
}

// serve serves until the connection ends.
func serve() error {
	file := os.NewFile(serviceFD, "service")
	socket, err := net.FileConn(file)
	file.Close()
	if err != nil {
		return fmt.Errorf("cannot serve: %w", err)
	}
	conn := vat.Connect(socket, capnp.Client(service.Service_ServerToClient(hello{})))
	links, err := takeLinks()
	if err != nil {
		return err
	}
	defer links.Close()
	go func() {
		if err := look(conn, links); err != nil {
			fmt.Fprintf(os.Stderr, "hello: cannot look around: %v\n", err)
		}
	}()
	<-conn.Done()
	return nil
}

// takeLinks accepts links on the endowment channel and serves the clients that look up hello.
func takeLinks() (*vat.Endowments, error) {
	channel, err := vat.ChannelOf(os.NewFile(vat.BundleEndowmentFD, "endowments"))
	if err != nil {
		return nil, err
	}
	links := vat.Endowed(channel)
	links.Serve(discovery.Facet("bundle/"+os.Getenv("NEXUS_BUNDLE")), func(vat.Client) capnp.Client {
		return capnp.Client(service.Service_ServerToClient(hello{}))
	})
	return links, links.Ready()
}

// look counts the published bundles, over a link to bundlemgrd. It keeps the link, and asks for a new one when it ends.
func look(conn *vat.Conn, links *vat.Endowments) error {
	ctx := context.Background()
	services, err := conn.Bootstrap(ctx)
	if err != nil {
		return err
	}
	defer services.Release()
	if mode == "reading" {
		return readFiles(ctx, links, registry.ServiceManager(services))
	}
	for {
		client, err := discovery.FindBy(ctx, links, registry.ServiceManager(services), "BundleMgr")
		if err != nil {
			return err
		}
		if count, err := countBundles(ctx, bundle.BundleMgr(client)); err == nil {
			fmt.Printf("hello %s is one of %d\n", version, count)
		}
		links.Use(discovery.Facet("BundleMgr")).Lost(ctx, client)
		client.Release()
	}
}

func countBundles(ctx context.Context, bundles bundle.BundleMgr) (int, error) {
	answer, release := bundles.List(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return 0, err
	}
	p, err := res.Publication()
	if err != nil {
		return 0, err
	}
	list, err := p.Bundles()
	if err != nil {
		return 0, err
	}
	return list.Len(), nil
}

// hello serves Service.
type hello struct{}

// Version returns the version of the running program.
func (hello) Version(_ context.Context, call service.Service_version) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetVersion(version)
}

// Health returns the health that the mode selects.
func (hello) Health(_ context.Context, call service.Service_health) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	health, detail := healthOf(mode)
	res.SetHealth(health)
	return res.SetDetail(detail)
}

func healthOf(mode string) (service.Health, string) {
	switch mode {
	case "failing":
		return service.Health_failing, "built to fail"
	case "starting":
		return service.Health_starting, "built to stay in the starting state"
	default:
		return service.Health_ok, "greeting"
	}
}
