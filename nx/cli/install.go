package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/updateclient"
	"nexus/libupdates/apps"
	"nexus/libupdates/refusal"
)

// installVerb installs the apps in a set.
type installVerb struct {
	File    string        `arg:"" placeholder:"FILE" help:"Signed set of apps (.nxs), - for standard input, or a set in a registry: oci://HOST[:PORT]/NAME:TAG."`
	Timeout time.Duration `placeholder:"DUR" default:"10m" help:"How long to wait for the verdict (default: 10m)."`
}

// Run exits 0 only after the commit.
func (v *installVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		return installApps(ctx, s, intake{verb: "install", file: v.File, timeout: v.Timeout})
	})
}

// upgradeVerb upgrades the apps in a set.
type upgradeVerb struct {
	File      string        `arg:"" placeholder:"FILE" help:"Signed set of apps (.nxs), - for standard input, or a set in a registry: oci://HOST[:PORT]/NAME:TAG."`
	Timeout   time.Duration `placeholder:"DUR" default:"10m" help:"How long to wait for the verdict (default: 10m)."`
	Downgrade bool          `help:"Go to a version that is not newer, if the device's policy allows it."`
}

// Run exits 0 only after the commit.
func (v *upgradeVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		return installApps(ctx, s, intake{verb: "upgrade", file: v.File, timeout: v.Timeout, older: v.Downgrade})
	})
}

// An intake is one install or upgrade.
type intake struct {
	verb    string // `install` or `upgrade`
	file    string
	timeout time.Duration
	older   bool
}

// An installed is the result.
type installed struct {
	Package string `json:"package"`
	staged
}

func installApps(ctx context.Context, s *session, v intake) error {
	s.in.app = "NAME" // until it is known
	bring := sendApp
	if inRegistry(v.file) {
		bring = fetchApp
	}
	app, set, err := bring(ctx, s, v)
	if err != nil {
		return err
	}
	defer app.done()
	defer set.System.Release()
	if err := set.Switch(ctx); err != nil {
		return cannot(v.verb, app.name+" "+set.SystemVersion, err)
	}
	s.in.note("%s %s is on trial", app.name, set.SystemVersion)
	if err := awaitOf(ctx, s, app.status(s), v.timeout, set.verdict); err != nil {
		return cannot(v.verb, app.name+" "+set.SystemVersion, unlessGoingOn(ctx, "the trial",
			"`NX apps` shows the verdict, `NX rollback --app APP` ends the trial", namingServices(ctx, s, err)))
	}
	return s.in.answer(installed{app.name, set}, func(w io.Writer) {
		for _, b := range set.Bundles {
			fmt.Fprintf(w, "%sed %s %s, healthy\n", pastOf(v.verb), clean(b.Name), clean(b.Version))
		}
	})
}

// sendApp stages a file for the package that it is.
func sendApp(ctx context.Context, s *session, v intake) (*openedApp, staged, error) {
	file, err := s.in.openArchive(ctx, v.file)
	if err != nil {
		return nil, staged{}, cannot(v.verb, v.file, err)
	}
	defer file.Close()
	found, err := peek(file)
	if err != nil {
		return nil, staged{}, cannot(v.verb, file.name, err)
	}
	app, err := openApp(ctx, s, v, apps.PackageOf(found.Index.Bundles))
	if err != nil {
		return nil, staged{}, cannot(v.verb, file.name, err)
	}
	set, err := sendSet(ctx, file, s.in.progress(file.name), app.stage)
	if err != nil {
		app.done()
		return nil, set, cannot(v.verb, file.name, err)
	}
	return app, set, nil
}

// fetchApp has a set fetched for the package that it is, and takes it up.
func fetchApp(ctx context.Context, s *session, v intake) (app *openedApp, set staged, err error) {
	var name string
	fetched, err := fetchBy(ctx, s, v.file, func(ctx context.Context,
		progress update.StageProgress) (got updateclient.Set, cost updateclient.Fetched, err error) {
		fetcher, done := s.appFetcher(ctx)
		defer done()
		name, got, cost, err = updateclient.FetchApp(ctx, fetcher, v.file,
			updateclient.App{Upgrade: v.verb == "upgrade", Older: v.older}, progress)
		return got, cost, err
	})
	if err == nil {
		app, err = openPackage(ctx, s, name)
	}
	if err == nil {
		if set, err = stagedOf(updateclient.Staged(ctx, update.Updated(app.app))); err == nil {
			err = set.isFrom(fetched)
		}
		if err != nil {
			app.done()
		}
	}
	if err != nil {
		return nil, set, cannot(v.verb, v.file, err)
	}
	return app, set, nil
}

// pastOf is a verb, to be followed by `ed`.
func pastOf(verb string) string {
	if verb == "upgrade" {
		return "upgrad"
	}
	return verb
}

// An openedApp is a package that a set is for.
type openedApp struct {
	name string
	app  update.AppUpdate
	link *updateclient.Link
	done func()
}

// openApp opens the package that a set is for, for a change of what is installed.
func openApp(ctx context.Context, s *session, v intake, name string) (*openedApp, error) {
	s.in.app = name
	link, installer, done := direct(ctx, s, "apps", s.installer)
	app := &openedApp{name: name, link: link, done: done}
	err := app.check(ctx, installer, v)
	if err == nil {
		err = app.open(ctx, installer, v.older)
	}
	if err != nil {
		done()
		return nil, err
	}
	return app, nil
}

// openPackage opens a package, whatever it holds.
func openPackage(ctx context.Context, s *session, name string) (*openedApp, error) {
	s.in.app = name
	installer, done := s.installer(ctx)
	app := &openedApp{name: name, done: done}
	if err := app.open(ctx, installer, false); err != nil {
		done()
		return nil, err
	}
	return app, nil
}

// check refuses to install what is installed, and to upgrade what is not.
func (a *openedApp) check(ctx context.Context, installer update.AppInstaller, v intake) error {
	all, err := packagesOf(ctx, installer)
	if err != nil {
		return err
	}
	version := ""
	for _, p := range all {
		if p.Package == a.name && p.Version != nil {
			version = *p.Version
		}
	}
	switch {
	case v.verb == "install" && version != "":
		return refusal.New(refusal.AlreadyActive, "%s %s is installed: `nx upgrade` it", a.name, version)
	case v.verb == "upgrade" && version == "":
		return refusal.New(refusal.UnknownApp, "there is no app %s: `nx install` it", a.name)
	}
	return nil
}

func (a *openedApp) open(ctx context.Context, installer update.AppInstaller, older bool) error {
	answer, release := installer.Open(ctx, func(p update.AppInstaller_open_Params) error {
		p.SetOlder(older)
		return p.SetName(a.name)
	})
	res, err := convert.Outcome(answer.Struct())
	if err != nil {
		release()
		return err
	}
	last := a.done
	a.app, a.done = res.App(), func() { release(); last() }
	return nil
}

// stage begins a stage for the package, whose outcome is switched to as soon as it is staged.
func (a *openedApp) stage(ctx context.Context, sizeBytes uint64, progress update.StageProgress) *updateclient.Sink {
	sink := updateclient.StageSystem(ctx, update.Updated(a.app), a.link, sizeBytes, progress)
	sink.ThenSwitch()
	return sink
}

// status returns the status of the package, of one instance of updated after another.
func (a *openedApp) status(s *session) statusFacet {
	return func(ctx context.Context) (update.UpdateStatus, capnp.ReleaseFunc) {
		installer, done := s.installer(ctx)
		answer, release := installer.Open(ctx, func(p update.AppInstaller_open_Params) error {
			return p.SetName(a.name)
		})
		return update.UpdateStatus(answer.App()), func() { release(); done() }
	}
}
