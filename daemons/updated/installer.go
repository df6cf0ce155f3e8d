package updated

import (
	"context"
	"os"
	"slices"
	"strings"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
	"nexus/libupdates/apps"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updater"
)

// scopeMark begins the grant that says for which apps a client has AppInstaller; without one it has it for all.
const scopeMark = "apps:"

// installer serves AppInstaller to a client.
func (p *packages) installer(c vat.Client) capnp.Client {
	server := &installerServer{packages: p, files: c.Files, by: callerOf(c)}
	for _, grant := range c.Grants {
		text, is := strings.CutPrefix(grant, scopeMark)
		if !is {
			continue
		}
		var err error
		if server.scope, err = apps.ParseScope(text); err != nil {
			return capnp.ErrorClient(convert.Except(err))
		}
	}
	return capnp.Client(update.AppInstaller_ServerToClient(server))
}

// An installerServer is AppInstaller, for the packages in its scope.
type installerServer struct {
	packages *packages
	files    *guard.Files
	hand     func(*os.File) error // see sender
	by       updater.Caller
	scope    apps.Scope
}

// List returns all packages.
func (s *installerServer) List(_ context.Context, call update.AppList_list) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	names := s.packages.Names()
	list, err := res.NewPackages(int32(len(names)))
	if err != nil {
		return err
	}
	for i, name := range names {
		engine, err := s.packages.Engine(name)
		if err != nil {
			continue // it has just been uninstalled
		}
		if err := list.At(i).SetName(name); err != nil {
			return err
		}
		status, err := list.At(i).NewStatus()
		if err != nil {
			return err
		}
		if err := fillStatus(status, engine); err != nil {
			return err
		}
	}
	return nil
}

// Open returns the capability for a package.
func (s *installerServer) Open(_ context.Context, call update.AppInstaller_open) error {
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	app, err := s.app(name, call.Args().Older())
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return res.SetApp(update.AppUpdate_ServerToClient(app))
}

// app returns the server of a package. Refused as BadBundleName, and as NotGranted for one out of the scope.
func (s *installerServer) app(name string, older bool) (*appServer, error) {
	if err := nxb.CheckName(name); err != nil {
		return nil, err
	}
	if err := s.scope.HasName(name); err != nil {
		return nil, err
	}
	return &appServer{installerServer: s, name: name, older: older,
		follows: vat.NewQuota("subscriptions", maxFollows)}, nil
}

// Uninstall uninstalls a package.
func (s *installerServer) Uninstall(ctx context.Context, call update.AppInstaller_uninstall) error {
	call.Go()
	list, err := call.Args().Names()
	if err != nil {
		return err
	}
	if list.Len() > apps.MaxBundles {
		return convert.Answer(call.AllocResults, refusal.New(refusal.UnknownApp, "%d names are over the %d of a package",
			list.Len(), apps.MaxBundles))
	}
	names, err := vat.Texts(list)
	if err != nil {
		return err
	}
	err = s.mayUninstall(names)
	if err == nil {
		err = s.packages.Uninstall(updater.As(ctx, s.by), names, call.Args().KeepState())
	}
	if err == nil {
		s.packages.awaitGone(ctx)
	}
	return convert.Answer(call.AllocResults, err)
}

// mayUninstall refuses what is out of the scope.
func (s *installerServer) mayUninstall(names []string) error {
	for _, name := range names {
		if err := s.scope.HasName(name); err != nil {
			return err
		}
	}
	if !s.scope.IsLimited() {
		return nil
	}
	for _, name := range s.packages.Names() {
		engine, err := s.packages.Engine(name)
		if err != nil {
			continue
		}
		now := engine.Status()
		runs := now.Contents[now.Record.Running()-bootctl.A]
		for _, b := range runs.Bundles {
			if slices.Contains(names, b.Name) {
				return s.scope.Has(runs.Publisher, nil)
			}
		}
	}
	return nil
}

// Attenuate returns an AppInstaller for less.
func (s *installerServer) Attenuate(_ context.Context, call update.AppInstaller_attenuate) error {
	pattern, err := call.Args().Pattern()
	if err != nil {
		return err
	}
	publisher, err := call.Args().Publisher()
	if err != nil {
		return err
	}
	scope, err := s.scope.Within(pattern, publisher)
	if err != nil {
		return convert.Except(err)
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	less := &installerServer{s.packages, s.files, s.hand, s.by, scope}
	return res.SetInstaller(update.AppInstaller_ServerToClient(less))
}

// An appServer is Updated for one package, which need not exist yet.
type appServer struct {
	*installerServer
	name    string
	older   bool
	follows *vat.Quota
}

// status returns the server of the package's status. Refused as UnknownApp without the package.
func (a *appServer) status() (*statusServer, error) {
	engine, err := a.packages.Engine(a.name)
	if err != nil {
		return nil, convert.Except(err)
	}
	return &statusServer{a.packages.service(a.name, engine), a.follows}, nil
}

func (a *appServer) GetStatus(ctx context.Context, call update.UpdateStatus_getStatus) error {
	status, err := a.status()
	if err != nil {
		return err
	}
	return status.GetStatus(ctx, call)
}

func (a *appServer) History(ctx context.Context, call update.UpdateStatus_history) error {
	status, err := a.status()
	if err != nil {
		return err
	}
	return status.History(ctx, call)
}

func (a *appServer) Follow(ctx context.Context, call update.UpdateStatus_follow) error {
	status, err := a.status()
	if err != nil {
		return err
	}
	return status.Follow(ctx, call)
}

// StageSystem begins a stage, in a place that is made for it.
func (a *appServer) StageSystem(ctx context.Context, call update.Updated_stageSystem) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	sink, err := a.begin(ctx, call.Args().SizeBytes(), call.Args().Progress(), false, sender.stagedSystem)
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return res.SetSink(sink)
}

// begin begins a stage of the package. yields says what its outcome is; nil: the sender cannot switch to it.
func (a *appServer) begin(ctx context.Context, size uint64, observer update.StageProgress, resume bool,
	yields func(sender, uint64) update.StagedSystem) (update.StageSink, error) {
	engine, release, err := a.packages.Take(a.name)
	if err != nil {
		return update.StageSink{}, err
	}
	from := a.sender(engine)
	from.over = release
	if yields == nil {
		return from.begin(ctx, size, observer, resume, nil)
	}
	return from.begin(ctx, size, observer, resume,
		func(serial uint64) update.StagedSystem { return yields(from, serial) })
}

// sender is who stages in the package, and may switch to that.
func (a *appServer) sender(engine *updater.Engine) sender {
	return sender{
		service: a.packages.service(a.name, engine), files: a.files, hand: a.hand,
		operator: true, by: a.by,
		terms: updater.Terms{
			Older: a.older,
			Admit: func(x nxs.Index) error { return a.scope.Has(x.Publisher, x.Bundles) },
		},
	}
}

// Staged gives the capability for what is staged, unless that may be of a publisher who is out of the scope.
func (a *appServer) Staged(_ context.Context, call update.Updated_staged) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	engine, err := a.packages.Engine(a.name)
	var serial uint64
	if err == nil {
		serial, err = engine.Staging.Staged()
	}
	if err == nil {
		staged := engine.Status().Contents[bootctl.Staged-bootctl.A]
		err = a.scope.Has(staged.Publisher, staged.Bundles)
	}
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return res.SetSystem(a.sender(engine).stagedSystem(serial))
}

// recovery returns the server of the package's recovery, as that is now.
func (a *appServer) recovery() (*recoveryServer, error) {
	engine, err := a.packages.Engine(a.name)
	if err != nil {
		return nil, convert.Except(err)
	}
	now := engine.Status()
	running := now.Contents[now.Record.Running()-bootctl.A]
	if err := a.scope.Has(running.Publisher, running.Bundles); err != nil {
		return nil, convert.Except(err)
	}
	return &recoveryServer{engine.Recovery, engine.Staging.EndStage, a.by}, nil
}

func (a *appServer) Rollback(ctx context.Context, call update.UpdateRecovery_rollback) error {
	server, err := a.recovery()
	if err != nil {
		return err
	}
	return server.Rollback(ctx, call)
}

func (a *appServer) ClearQuarantine(ctx context.Context, call update.UpdateRecovery_clearQuarantine) error {
	server, err := a.recovery()
	if err != nil {
		return err
	}
	return server.ClearQuarantine(ctx, call)
}

func (a *appServer) LowerFloor(ctx context.Context, call update.UpdateRecovery_lowerFloor) error {
	server, err := a.recovery()
	if err != nil {
		return err
	}
	return server.LowerFloor(ctx, call)
}

func (a *appServer) Scrub(ctx context.Context, call update.UpdateRecovery_scrub) error {
	server, err := a.recovery()
	if err != nil {
		return err
	}
	return server.Scrub(ctx, call)
}

func (a *appServer) EndStage(ctx context.Context, call update.UpdateRecovery_endStage) error {
	server, err := a.recovery()
	if err != nil {
		return err
	}
	return server.EndStage(ctx, call)
}
