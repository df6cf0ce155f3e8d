package updated

import (
	"context"
	"slices"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
	"nexus/daemons/discovery"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/durable"
	"nexus/libupdates/statefs"
	"nexus/libupdates/updater"
)

// Run runs the daemon until ctx ends.
func Run(ctx context.Context, b *vat.Endowments, host plat.Host) error {
	log := logclient.New("updated", b.Use("LogSink"))
	defer log.Close()
	b.OnRefused(log.Refused)

	s, err := open(ctx, b, host, log)
	if err != nil {
		return err
	}
	if err := s.fillFactorySlot(ctx, b); err != nil {
		return err
	}
	go discovery.Offer(ctx, b, "Updated", log, func(vat.Client) capnp.Client { return s.updated(vat.Client{}) })
	s.serve(b)
	log.Announce(ctx, s.ready())
	s.engine.Trial.Resume()
	s.apps.resume()
	go s.publisher.keep(ctx, func(err error) { log.Error("cannot publish again", "error", err) })
	s.serveAttempts(b)
	self := update.UpdateStatus_ServerToClient(&statusServer{service: s})
	defer self.Release()
	b.OnPing(func() { vat.Served(self.GetStatus(ctx, nil)) })
	if err := b.Ready(); err != nil {
		return err
	}
	<-ctx.Done()
	s.apps.Stop()
	s.engine.Staging.Stop() // the slots have one writer: the next instance must not meet this one
	return nil
}

// serve serves what can be asked for as soon as the engine is open.
func (s *service) serve(b *vat.Endowments) {
	b.Serve("UpdateStatus", func(vat.Client) capnp.Client {
		status := s.status()
		return capnp.Client(update.UpdateStatus_ServerToClient(&status))
	})
	b.ServeFiles("UpdateStage", func(c vat.Client) capnp.Client {
		from := sender{service: s, files: c.Files, operator: slices.Contains(c.Grants, takesUp),
			by: callerOf(c)}
		if c.Name == fetcher {
			from.relays, from.hand = true, c.Hand
		}
		stager := &stagerServer{from}
		return capnp.Client(update.UpdateStage_ServerToClient(stager))
	})
	b.ServeFiles("Updated", s.updated)
	b.Serve("UpdateRecovery", func(c vat.Client) capnp.Client {
		recovery := &recoveryServer{s.engine.Recovery, s.engine.Staging.EndStage, callerOf(c)}
		return capnp.Client(update.UpdateRecovery_ServerToClient(recovery))
	})
}

// serveAttempts serves what takes part in attempts, once the one before, if any, was taken up.
func (s *service) serveAttempts(b *vat.Endowments) {
	b.Serve("HealthGate", func(vat.Client) capnp.Client {
		gate := &gateServer{s.engine.Trial, s.engine.Installed, s.apps.endBoot}
		return capnp.Client(update.HealthGate_ServerToClient(gate))
	})
	b.ServeFiles("AppInstaller", s.apps.installer)
	b.Serve("AppGate", func(vat.Client) capnp.Client {
		return capnp.Client(update.AppGate_ServerToClient(newAppGate(s.apps)))
	})
}

// fetcher is the daemon that brings sets for others, and knows whether they may switch.
const fetcher = "fetchd"

// takesUp is the method of Operator by which a client may switch to what it stages, beside UpdateStage (daemons/initd).
const takesUp = "updated"

// open opens the engine over what the daemon was endowed with.
func open(ctx context.Context, b *vat.Endowments, host plat.Host, log *logclient.Log) (*service, error) {
	root, err := b.Dir(ctx, "system")
	if err != nil {
		return nil, err
	}
	memory, err := b.File(ctx, "record")
	if err != nil {
		return nil, err
	}
	s := &service{publisher: newPublisher(b.Use("SlotPublisher")), changed: vat.NewNotifier(), life: ctx}
	cfg := updater.Config{
		Slots: durable.WithVerity(root, plat.Verity{}), Record: memory, Verify: verifyBy(b.Use("Verifier")),
		Patch:     patchBy(b.Use("Patcher")),
		Admission: admission{b.Use("SetAdmission")}, Judge: judgeBy(b.Use("PowerJudge"), false),
		Publisher: slotPublisher{s.publisher, ""},
		Log:       journal{log}, Clock: host.Clock, Changed: s.changed.Notify,
	}
	if err := readPolicy(ctx, b, &cfg); err != nil {
		return nil, err
	}
	where, err := oneSetting(ctx, b, "record")
	if err != nil {
		return nil, err
	}
	if where == recordInState {
		disk := &statefs.Record{Keys: &stateKeys{b.Use("StateFs")}}
		cfg.Record, cfg.BootCopy = durable.Apart(disk), memory
	}
	if s.apps, err = openApps(b, cfg.Slots, memory, cfg, s, log); err != nil {
		return nil, err
	}
	cfg.Others = s.apps.Others()
	s.engine, err = updater.Open(cfg)
	return s, err
}

// recordInState is the value of the setting `record` by which the record is kept in the state folder. Any other keeps
// it in memory, for this boot.
const recordInState = "statefs"

// ready is the marker that says how long the record lives.
func (s *service) ready() string {
	if s.engine.Persistent() {
		return "updated: ready (statefs)"
	}
	return "updated: ready (non-persistent)"
}

// fillFactorySlot installs the factory set where both slots hold nothing.
func (s *service) fillFactorySlot(ctx context.Context, b *vat.Endowments) error {
	file, granted := b.Given("factory")
	if !granted || !s.engine.NeedsFactory() {
		return nil
	}
	info, err := file.Stat()
	if err == nil {
		_, err = file.Seek(0, 0)
	}
	if err != nil {
		return &updater.FactoryError{Err: err}
	}
	return s.engine.InstallFactory(ctx, file, info.Size())
}
