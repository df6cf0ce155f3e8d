package remoted

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"nexus/daemons/logclient"
	"nexus/daemons/pinned"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/trust"
)

// Run runs the daemon until ctx ends.
func Run(ctx context.Context, b *vat.Endowments, host plat.Host) error {
	log := logclient.New("remoted", b.Use("LogSink"))
	defer log.Close()
	b.OnRefused(log.Refused)
	d := &door{log: log, clock: host.Clock, gate: b.Use("OperatorGate"), keys: map[trust.PublicKey]bool{},
		late: handshakePatience, places: newPlaces(), turned: newTally(log)}
	b.OnSocket(d.tickets.Take)
	if err := d.learn(ctx, b); err != nil {
		return err
	}
	listener, err := d.listener(ctx, b)
	if err != nil {
		return err
	}
	defer listener.Close()
	if err := b.Ready(); err != nil {
		return err
	}
	go d.turned.report(ctx, host.Clock)
	go d.serve(ctx, listener)
	<-ctx.Done()
	return nil
}

// learn takes the device's key and those of operators from the endowments.
func (d *door) learn(ctx context.Context, b *vat.Endowments) error {
	keys, err := b.Setting(ctx, "operators")
	if err != nil {
		return err
	}
	for _, text := range strings.Fields(strings.Join(keys, " ")) {
		key, err := trust.ReadPublicKey("hex-public:" + text)
		if err != nil {
			return err
		}
		d.keys[key] = true
	}
	file, err := b.File(ctx, "device-key")
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(io.NewSectionReader(file, 0, maxKeyFile))
	if err != nil {
		return err
	}
	own, err := trust.ParseSigner(raw)
	if err != nil {
		return fmt.Errorf("cannot use device key: %w", err)
	}
	d.config, err = pinned.Server(own, d.known)
	return err
}

// maxKeyFile is more than a key's text has.
const maxKeyFile = 4096

// listener takes the listening socket from the endowments.
func (d *door) listener(ctx context.Context, b *vat.Endowments) (net.Listener, error) {
	var file *os.File
	file, err := b.File(ctx, "listener")
	if err != nil {
		return nil, err
	}
	return net.FileListener(file)
}
