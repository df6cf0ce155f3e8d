// Command hello is the native service of the demo sets: it exports Service on fd 3 and answers with the version it was built as.
//
//	go build -ldflags '-X main.version=1.1.0 -X main.mode=exit' ./selftest/demo/hello
package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/service"
	"nexus/daemons/vat"
)

// Set at link time; never changed.
var (
	version = "0.0.0" // SemVer, the one its manifest names
	mode    = "ok"    // ok, exit (ends with code 3), failing (says that it fails), starting (never says more)
)

// exitCode is how the mode exit ends.
const exitCode = 3

// serviceFD is where a bundle finds its connection (schema/service.capnp).
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

// serve answers until the connection ends.
func serve() error {
	file := os.NewFile(serviceFD, "service")
	socket, err := net.FileConn(file)
	file.Close()
	if err != nil {
		return fmt.Errorf("cannot serve: %w", err)
	}
	conn := vat.Connect(socket, capnp.Client(service.Service_ServerToClient(hello{})))
	<-conn.Done()
	return nil
}

// hello is the service.
type hello struct{}

// Version answers with the running program's own version.
func (hello) Version(_ context.Context, call service.Service_version) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetVersion(version)
}

// Health answers as the mode says.
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
		return service.Health_starting, "built to start for ever"
	default:
		return service.Health_ok, "greeting"
	}
}
