package selftest

import (
	"context"
	"fmt"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
)

// The sets of the app, in the granted folder. It has one bundle, whose name is that of the package, with the program of
// the system's set of the same version.
const (
	app        = "greeter"
	firstApp   = "app-v1.0.0.nxs"
	healthyApp = "app-v1.1.0.nxs"
	brokenApp  = "app-v1.2.0.nxs"
)

// flowOfApp installs an app, upgrades it, has it return from a broken version, and uninstalls it.
func (t *selftest) flowOfApp(ctx context.Context) (err error) {
	greeter := target{t, t.openApp, app, false}
	var now running
	for _, s := range []step{
		{"SELFTEST: pkg install ok", func() error {
			now, err = greeter.bring(ctx, firstApp)
			return err
		}},
		{"SELFTEST: pkg upgrade ok", func() error {
			now, err = greeter.bring(ctx, healthyApp)
			return err
		}},
		{"SELFTEST: pkg rollback ok", func() error {
			_, err := greeter.returns(ctx, brokenApp, now)
			return err
		}},
		{"SELFTEST: pkg uninstall ok", func() error { return greeter.uninstall(ctx) }},
	} {
		if err := t.take(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// bring stages a set, switches to it, and sees it run and confirmed.
func (t target) bring(ctx context.Context, file string) (running, error) {
	staged, err := t.stage(ctx, file)
	if err != nil {
		return running{}, err
	}
	if err := switchTo(ctx, staged); err != nil {
		return running{}, err
	}
	if err := t.awaitVersion(ctx, staged.Version); err != nil {
		return running{}, err
	}
	return t.confirm(ctx, staged.Slot)
}

// openApp returns what stages sets of the app.
func (t *selftest) openApp(ctx context.Context) (update.Updated, error) {
	client, err := t.apps.Get(ctx)
	if err != nil {
		return update.Updated{}, err
	}
	defer client.Release()
	answer, release := update.AppInstaller(client).Open(ctx, func(p update.AppInstaller_open_Params) error {
		return p.SetName(app)
	})
	defer release()
	res, err := convert.Outcome(answer.Struct())
	if err != nil {
		return update.Updated{}, err
	}
	return update.Updated(res.App().AddRef()), nil
}

// uninstall uninstalls the app, and wants neither its package nor its service to be there.
func (t target) uninstall(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client, err := t.apps.Get(ctx)
	if err != nil {
		return err
	}
	defer client.Release()
	answer, release := update.AppInstaller(client).Uninstall(ctx, func(p update.AppInstaller_uninstall_Params) error {
		return vat.SetTexts(p.NewNames, []string{t.probe})
	})
	defer release()
	if _, err := convert.Outcome(answer.Struct()); err != nil {
		return fmt.Errorf("cannot uninstall %s: %w", t.probe, err)
	}
	if _, err := t.state(ctx); refusal.Of(convert.Excepted(err)) != refusal.UnknownApp {
		return fmt.Errorf("the package %s is still there: %w", t.probe, err)
	}
	for {
		_, err := t.askVersion(ctx)
		if refusal.Of(err) == refusal.UnknownName {
			return nil
		}
		if t.pause(ctx) != nil {
			return fmt.Errorf("the service of %s can still be found: %w", t.probe, err)
		}
	}
}
