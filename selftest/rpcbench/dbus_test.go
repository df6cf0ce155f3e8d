package rpcbench

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"

	"github.com/godbus/dbus/v5"
)

const (
	dbusName = "bench.Object"
	dbusPath = dbus.ObjectPath("/bench/Object")
)

// dbusContender calls over a private bus, through its daemon, as services on D-Bus do.
func dbusContender() contender {
	return contender{
		name:  "D-Bus",
		about: "godbus, through a private dbus-daemon",
		ready: func() error {
			_, err := exec.LookPath("dbus-daemon")
			return err
		},
		serve: dbusServe,
		dial: func(_ context.Context, path string) (client, error) {
			conn, err := dbus.Connect("unix:path=" + path + ".bus")
			if err != nil {
				return nil, err
			}
			return &dbusClient{conn, conn.Object(dbusName, dbusPath)}, nil
		},
	}
}

// dbusServe runs the bus and serves on it. The listener only provides its name. The bus listens by itself; it is ready
// when it has printed its address.
func dbusServe(l net.Listener, ready func()) error {
	bus := l.Addr().String() + ".bus"
	config := bus + ".conf"
	if err := os.WriteFile(config, fmt.Appendf(nil, dbusConfig, bus), 0o600); err != nil {
		return err
	}
	daemon := exec.Command("dbus-daemon", "--nofork", "--nopidfile", "--nosyslog", "--print-address",
		"--config-file="+config)
	daemon.SysProcAttr = endWithParent()
	out, err := daemon.StdoutPipe()
	if err != nil {
		return err
	}
	if err := daemon.Start(); err != nil {
		return err
	}
	if _, err := fmt.Fscanln(out, new(string)); err != nil { // the address, which is printed once it listens
		return err
	}
	conn, err := dbus.Connect("unix:path=" + bus)
	if err != nil {
		return err
	}
	if err := conn.Export(dbusObject{}, dbusPath, dbusName); err != nil {
		return err
	}
	if _, err := conn.RequestName(dbusName, dbus.NameFlagDoNotQueue); err != nil {
		return err
	}
	ready()
	return daemon.Wait()
}

const dbusConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

type dbusObject struct{}

// Echo is the only method on the bus.
func (dbusObject) Echo(message []byte) ([]byte, *dbus.Error) { return message, nil }

type dbusClient struct {
	conn   *dbus.Conn
	object dbus.BusObject
}

func (c *dbusClient) Call(ctx context.Context, payload []byte) error {
	var back []byte
	if err := c.object.CallWithContext(ctx, dbusName+".Echo", 0, payload).Store(&back); err != nil {
		return err
	}
	return same(payload, back)
}

func (c *dbusClient) Close() error { return c.conn.Close() }
