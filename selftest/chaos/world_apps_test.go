package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// The app of the flows: a package of two bundles.
const (
	app     = "web"
	appData = "web.pages"
)

// appFlows returns the flows of an app.
func appFlows() []worldFlow {
	installed := appRuns(newer)
	upgraded := func(s *system) error { return errors.Join(installed(s), appRuns(newest)(s)) }
	uninstalled := func(s *system) error { return errors.Join(newAppPerson(s).uninstall(), appIs(s)) }
	return []worldFlow{
		{name: "an app is installed", want: installed},
		{name: "an app is installed with every command twice", twice: true, want: installed},
		{name: "an app fails its first trial", want: appFails},
		{name: "an app is upgraded", first: installed, want: appRuns(newest)},
		{name: "an app fails its upgrade", first: installed, want: appFails},
		{name: "an app is rolled back by operator", first: upgraded, want: func(s *system) error {
			return errors.Join(newAppPerson(s).goBackTo(newer), appIs(s, newer))
		}},
		{name: "an app is uninstalled", first: installed, want: uninstalled},
		{name: "an app is uninstalled with every command twice", first: installed, twice: true, want: uninstalled},
		{name: "an app is uninstalled and comes back", first: upgraded, want: func(s *system) error {
			return errors.Join(newAppPerson(s).uninstall(), appRuns(newer)(s))
		}},
	}
}

func newAppPerson(s *system) *person {
	p := newPerson(s)
	p.app = app
	return p
}

// appRuns brings a version of the app, until it runs and is confirmed.
func appRuns(version string) func(*system) error {
	return func(s *system) error {
		now, err := newAppPerson(s).update(version)
		if err == nil && !holds(now, now.Active, version) {
			err = fmt.Errorf("the app %s was rolled back: %+v", version, now)
		}
		return errors.Join(err, appIs(s, version))
	}
}

// appFails brings a version of the app that cannot become healthy; what is left is what was there before. An attempt
// that a crash of the machine ends uses up a try.
func appFails(s *system) error {
	var before []string
	if s.flow.first != nil {
		before = []string{newer}
	}
	now, err := newAppPerson(s).update(exiting)
	reason := refusal.Reason(now.Rollback)
	known := reason == refusal.ServiceExited || reason == refusal.TriesExhausted && s.crashes() > 0
	if err == nil && (holds(now, now.Active, exiting) || !known) {
		err = fmt.Errorf("the app %s is not rolled back: %+v", exiting, now)
	}
	return errors.Join(err, appIs(s, before...))
}

// goBackTo has an operator roll back, until a version runs again.
func (p *person) goBackTo(version string) error {
	_, err := p.until(func(now world.State) bool { return resting(now) && holds(now, now.Active, version) },
		func(now world.State) {
			if !holds(now, now.Active, version) {
				p.ask(func(o *world.Operator) error { return p.s.twice(o.Rollback) })
			}
			p.wait(now)
		})
	return err
}

// uninstall tries until the package is gone, and may come again.
func (p *person) uninstall() error {
	var refused error
	_, err := p.until(
		func(s world.State) bool { return refused != nil || s.Active == bootctl.None },
		func(s world.State) {
			answered, err := p.ask(func(o *world.Operator) error {
				return p.s.whileWinding(func() error { return o.Uninstall(app, appData) })
			})
			if answered && refusal.Of(err) != refusal.UnknownApp {
				refused = err
			}
			p.wait(s)
		})
	return errors.Join(err, refused)
}

// appIs waits until exactly this version of the app runs, or none, and the disk has only what its status names.
func appIs(s *system, version ...string) error {
	var last error
	p := newAppPerson(s)
	_, err := p.until(
		func(now world.State) bool {
			last = errors.Join(appServes(p, version), appLies(s, now))
			return last == nil
		}, p.wait)
	if err != nil {
		return fmt.Errorf("%w: of the app %q: %w", err, version, last)
	}
	return nil
}

// appServes wants the service of the app in exactly this version.
func appServes(p *person, version []string) error {
	var services []string
	answered, err := p.ask(func(o *world.Operator) (err error) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		services, err = o.Services(ctx)
		return err
	})
	if !answered || err != nil {
		return fmt.Errorf("its services are not known: %w", err)
	}
	var runs, want []string
	for _, line := range services {
		if strings.HasPrefix(line, app+" ") {
			runs = append(runs, line)
		}
	}
	for _, v := range version {
		want = append(want, fmt.Sprintf("%s %s: serve", app, v))
	}
	if !slices.Equal(runs, want) {
		return fmt.Errorf("its services are %q, not %q", runs, want)
	}
	return nil
}

// appLies wants the folder of apps to hold the package if it has a status, and of it as many sets as that names.
func appLies(s *system, now world.State) error {
	var want []string
	if now.Active != bootctl.None {
		want = []string{app}
	}
	have, err := namesIn(s, "apps")
	if err != nil || !slices.Equal(have, want) {
		return fmt.Errorf("the folder of apps has %q, not %q: %w", have, want, err)
	}
	if want == nil {
		return nil
	}
	named := map[string]bool{}
	for _, version := range append(now.Versions[:], now.Next) {
		named[version] = true
	}
	delete(named, "")
	if sets, err := namesIn(s, "apps", app, "sets"); err != nil || len(sets) != len(named) {
		return fmt.Errorf("the sets are %q, and the status names %v: %w", sets, named, err)
	}
	return nil
}

// namesIn lists a folder of the system's disk. One that is not there is empty.
func namesIn(s *system, path ...string) (names []string, err error) {
	entries, err := os.ReadDir(filepath.Join(append([]string{s.w.Dir, "system"}, path...)...))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// worldApp returns a set of the app whose service has the version's nature.
func worldApp(t testing.TB, version string) []byte {
	key := updatestest.Key(1)
	return updatestest.Archive(t, key, version, serviceOf(app, version),
		updatestest.Bundle(appData, version, nil, fmt.Appendf(nil, "pages of %s", version), key))
}
