package updated

import (
	"context"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/libupdates/apps"
	"nexus/libupdates/refusal"
)

// App returns UpdateStage for a package of apps.
func (s *stagerServer) App(_ context.Context, call update.UpdateStage_app) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	if !s.relays {
		return convert.Refuse(res.NewRefusal, refusal.New(refusal.NotGranted,
			"this UpdateStage is for sets of the system"))
	}
	stager, err := s.appStager(call.Args())
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return res.SetStage(update.UpdateStage_ServerToClient(stager))
}

func (s *stagerServer) appStager(args update.UpdateStage_app_Params) (*appStager, error) {
	name, err := args.Name()
	if err != nil {
		return nil, err
	}
	scope, err := args.Scope()
	if err != nil {
		return nil, err
	}
	installer := &installerServer{packages: s.apps, hand: s.hand, by: s.by}
	if scope != "" {
		if installer.scope, err = apps.ParseScope(scope); err != nil {
			return nil, err
		}
	}
	app, err := installer.app(name, args.Older())
	if err != nil {
		return nil, err
	}
	if err := s.apps.CheckChange(name, args.Upgrade()); err != nil {
		return nil, err
	}
	engine, release, err := s.apps.Take(name)
	if err != nil {
		return nil, err
	}
	return &appStager{stagerServer{app.sender(engine)}, app, release}, nil
}

// An appStager is UpdateStage for one package of apps, which is there as long as this is held. It cannot switch either.
type appStager struct {
	stagerServer
	app     *appServer
	release func()
}

// Stage begins a stage.
func (s *appStager) Stage(ctx context.Context, call update.UpdateStage_stage) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	args := call.Args()
	sink, err := s.app.begin(ctx, args.SizeBytes(), args.Progress(), args.Resume(), nil)
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return res.SetSink(sink)
}

// App has no package.
func (s *appStager) App(_ context.Context, call update.UpdateStage_app) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return convert.Refuse(res.NewRefusal, refusal.New(refusal.NotGranted, "this UpdateStage is for the app %s",
		s.app.name))
}

// Shutdown runs when the sender has dropped the capability, or has died.
func (s *appStager) Shutdown() { s.release() }
