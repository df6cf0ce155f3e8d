package updated

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
	"nexus/daemons/discovery"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/health"
	"nexus/libupdates/nxs"
	"nexus/libupdates/slots"
	"nexus/libupdates/statefs"
)

// Run is the daemon's life.
func Run(ctx context.Context, b *vat.Endowments, host plat.Host) error {
	log := logclient.New("updated", b.Use("LogSink"))
	defer log.Close()
	b.OnRefused(log.Refused)

	e, err := open(ctx, b, host, log)
	if err != nil {
		return err
	}
	if err := e.fillFactorySlot(ctx, b); err != nil {
		return err
	}
	go discovery.Offer(ctx, b, "Updated", log, func() capnp.Client { return capnp.Client(e.updated(ctx)) })

	b.Serve("UpdateStatus", func(vat.Client) capnp.Client {
		status := e.status()
		return capnp.Client(update.UpdateStatus_ServerToClient(&status))
	})
	b.Serve("UpdateStage", func(c vat.Client) capnp.Client {
		stager := &stagerServer{engine: e, life: ctx, operator: slices.Contains(c.Grants, takesUp)}
		return capnp.Client(update.UpdateStage_ServerToClient(stager))
	})
	b.Serve("Updated", func(vat.Client) capnp.Client { return capnp.Client(e.updated(ctx)) })
	b.Serve("UpdateRecovery", func(vat.Client) capnp.Client {
		return capnp.Client(update.UpdateRecovery_ServerToClient(&recoveryServer{e}))
	})
	b.OnHanded(archiveFile, e.takeHanded)
	log.Announce(ctx, e.ready())
	e.resume()
	go e.publisher.keep(ctx, func(err error) { log.Error("cannot publish again", "error", err) })
	b.Serve("HealthGate", func(vat.Client) capnp.Client {
		return capnp.Client(update.HealthGate_ServerToClient(&gateServer{e}))
	})
	self := update.UpdateStatus_ServerToClient(&statusServer{engine: e})
	defer self.Release()
	b.OnPing(func() { vat.Served(self.GetStatus(ctx, nil)) })
	if err := b.Ready(); err != nil {
		return err
	}
	<-ctx.Done()
	e.stop() // the slots have one writer: the next life must not meet this one's
	return nil
}

// takesUp is the method of Operator by which a client may take up what it stages, beside UpdateStage (daemons/initd).
const takesUp = "updated"

// open takes up resources, settings and the record.
func open(ctx context.Context, b *vat.Endowments, host plat.Host, log *logclient.Log) (*engine, error) {
	root, err := b.Dir(ctx, "system")
	if err != nil {
		return nil, err
	}
	memory, err := b.File(ctx, "record")
	if err != nil {
		return nil, err
	}
	e := &engine{
		clock: host.Clock, log: log,
		verifier:  b.Use("Verifier"),
		publisher: &publisher{holding: b.Use("SlotPublisher")},
	}
	if err := e.readPolicy(ctx, b); err != nil {
		return nil, err
	}
	if err := e.readCore(ctx, b); err != nil {
		return nil, err
	}
	where, err := oneSetting(ctx, b, "record")
	if err != nil {
		return nil, err
	}
	if where == recordInState {
		disk := durable.Apart(&statefs.Record{Keys: &stateKeys{b.Use("StateFs")}})
		return e, e.open(durable.OS(root), disk, memory)
	}
	return e, e.open(durable.OS(root), memory, nil)
}

// recordInState is the value of the setting `record` by which the record is kept in the state folder. Any other keeps
// it in memory, for this boot.
const recordInState = "statefs"

// ready is the marker that says how long the record lives.
func (e *engine) ready() string {
	if e.persistent() {
		return "updated: ready (statefs)"
	}
	return "updated: ready (non-persistent)"
}

func oneSetting(ctx context.Context, b *vat.Endowments, name string) (string, error) {
	values, err := b.Setting(ctx, name)
	if err == nil && len(values) != 1 {
		err = fmt.Errorf("cannot use setting %s: it has %d values", name, len(values))
	}
	if err != nil {
		return "", err
	}
	return values[0], nil
}

func (e *engine) readPolicy(ctx context.Context, b *vat.Endowments) error {
	var tries int64
	for name, value := range map[string]*int64{
		"limit-archive": &e.limits.Archive, "limit-payload": &e.limits.Payload, "tries": &tries,
	} {
		setting, err := oneSetting(ctx, b, name)
		if err != nil {
			return err
		}
		if *value, err = strconv.ParseInt(setting, 10, 64); err != nil {
			return fmt.Errorf("cannot use setting %s: %w", name, err)
		}
	}
	if tries < 1 || tries > health.MaxTries {
		return fmt.Errorf("cannot use setting tries: %d is not 1 to %d", tries, health.MaxTries)
	}
	e.tries = uint8(tries)
	cause, err := oneSetting(ctx, b, "boot-cause")
	if err != nil {
		return err
	}
	e.cause = bootctl.CauseOf(cause)
	floor, err := oneSetting(ctx, b, "floor")
	if err == nil {
		e.floor, err = parseFloorPolicy(floor)
	}
	return err
}

// resume tells the publisher what should be published when this is not the first life of the daemon in this boot: its
// predecessor published something, and bundlemgrd may have died together with it. What no attempt has begun for is not
// to run, and neither is what another core has to take over for first.
func (e *engine) resume() {
	r := e.snapshot()
	if !r.Begun() || e.successor(r.Running()) != update.HandOver_none {
		return
	}
	slot := r.Running()
	e.publisher.aim(publication{slot: slot, digest: nxs.Digest(r.Slot(slot).Digest), boot: r.Boot})
}

func (e *engine) updated(life context.Context) update.Updated {
	return update.Updated_ServerToClient(&updatedServer{e.status(), life})
}

// A FactoryError says that the set the system was told to begin with is refused. Starting again cannot help.
type FactoryError struct{ Err error }

func (e *FactoryError) Error() string { return "cannot install factory set: " + e.Err.Error() }
func (e *FactoryError) Unwrap() error { return e.Err }

// fillFactorySlot installs the factory set into slot a where both slots hold nothing: at the first start, or when both
// are lost. It goes the way of every other set: nothing is trusted for having come from the command line.
func (e *engine) fillFactorySlot(ctx context.Context, b *vat.Endowments) error {
	file, granted := b.Given("factory")
	if !granted || !e.content(bootctl.A).Digest.IsZero() || !e.content(bootctl.B).Digest.IsZero() {
		return nil
	}
	if err := e.installFactory(ctx, file); err != nil {
		return &FactoryError{err}
	}
	if err := e.readSlots(); err != nil {
		return err
	}
	set := e.recorded(e.content(bootctl.A))
	return e.change(func(r bootctl.Record) (bootctl.Record, error) { return r.Factory(set) })
}

func (e *engine) installFactory(ctx context.Context, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if _, err := file.Seek(0, 0); err != nil {
		return err
	}
	what := subject{slot: bootctl.A, size: uint64(info.Size())}
	reader := nxs.NewReader(file, info.Size(), e.limits, verifyBy(ctx, e.verifier))
	_, err = e.store.Stage(ctx, bootctl.A, reader, slots.StageOptions{
		Admit: func(head *nxs.Head) error {
			what.version, what.digest = head.Index.SystemVersion, head.Digest
			return e.snapshot().AdmitFactory(e.candidate(head.Digest, head.Index))
		},
	})
	e.audit("factory", what, err)
	return err
}
