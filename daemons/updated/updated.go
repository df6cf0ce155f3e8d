package updated

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/vat"
	"nexus/libupdates/updater"
)

// A service is the engine, and what its capabilities share.
type service struct {
	engine    *updater.Engine
	publisher *publisher
	apps      *packages
	changed   *vat.Notifier   // wakes the followers of the status
	life      context.Context // of the daemon: no stage outlives it
}

func (s *service) status() statusServer {
	return statusServer{s, vat.NewQuota("subscriptions", maxFollows)}
}

func (s *service) updated(c vat.Client) capnp.Client {
	from := sender{service: s, files: c.Files, operator: true, by: callerOf(c)}
	return capnp.Client(update.Updated_ServerToClient(&updatedServer{s.status(), from}))
}

// callerOf returns who a client is in the audit log.
func callerOf(c vat.Client) updater.Caller { return updater.Caller(logclient.CallerOf(c)) }

// An updatedServer is Updated: it stages, and switches to what is staged.
type updatedServer struct {
	statusServer
	sender sender
}

// StageSystem begins a stage.
func (s *updatedServer) StageSystem(ctx context.Context, call update.Updated_stageSystem) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	sink, err := s.sender.begin(ctx, call.Args().SizeBytes(), call.Args().Progress(), false, s.sender.stagedSystem)
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return res.SetSink(sink)
}

// Staged gives the capability for what is staged.
func (s *updatedServer) Staged(_ context.Context, call update.Updated_staged) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	serial, err := s.engine.Staging.Staged()
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return res.SetSystem(s.sender.stagedSystem(serial))
}
