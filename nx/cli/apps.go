package cli

import (
	"context"
	"fmt"
	"io"

	"nexus/capnpgen/update"
	"nexus/daemons/updateclient"
)

// appsVerb shows the apps.
type appsVerb struct{}

// A packageState is one package of apps.
type packageState struct {
	Package string      `json:"package"`
	Version *string     `json:"version"` // of the set that runs; null: nothing is installed
	Apps    []bundleRef `json:"apps"`    // that run
	state
}

// Run shows all packages.
func (*appsVerb) Run(ctx context.Context, in *invocation) error {
	return show(ctx, in, "show apps", "", packageStates, printPackages)
}

func packageStates(ctx context.Context, f *facets) ([]packageState, error) {
	installer, done := f.installer(ctx)
	defer done()
	return packagesOf(ctx, installer)
}

func packagesOf(ctx context.Context, installer update.AppInstaller) ([]packageState, error) {
	answer, release := installer.List(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	list, err := res.Packages()
	if err != nil {
		return nil, err
	}
	all := []packageState{}
	for i := range list.Len() {
		name, err := list.At(i).Name()
		if err != nil {
			return nil, err
		}
		status, err := updateclient.Read(list.At(i).Status())
		if err != nil {
			return nil, err
		}
		all = append(all, packageOf(name, stateOf(status)))
	}
	return all, nil
}

// packageOf is a package in that state.
func packageOf(name string, now state) packageState {
	runs := now.slot(now.ActiveSlot)
	if now.PendingSlot != nil {
		runs = now.slot(*now.PendingSlot)
	}
	return packageState{name, runs.SystemVersion, runs.Bundles, now}
}

func printPackages(w io.Writer, all []packageState) {
	rows := [][]string{{"APP", "VERSION", "STATE", "PACKAGE"}}
	for _, p := range all {
		for _, app := range p.Apps {
			rows = append(rows, []string{app.Name, app.Version, p.word(), p.Package})
		}
		if len(p.Apps) == 0 {
			rows = append(rows, []string{p.Package, "-", p.word(), p.Package})
		}
	}
	table(w, rows)
	for _, p := range all {
		for _, q := range p.Quarantine {
			fmt.Fprintf(w, "%s: %s (%s) is quarantined: %s\n", clean(p.Package), clean(q.SystemVersion),
				short(q.IndexSHA256), clean(q.Reason))
		}
	}
}

// word says how a package is.
func (p packageState) word() string {
	switch {
	case p.PendingSlot != nil:
		return "on trial"
	case p.Staging:
		return p.runs() + ", being staged"
	case p.StagedSlot != nil:
		return p.runs() + ", " + orElse(p.slot(*p.StagedSlot).SystemVersion, "a set") + " staged"
	default:
		return p.runs()
	}
}

// runs says how what runs of a package is.
func (p packageState) runs() string {
	switch {
	case p.Version == nil:
		return "not installed"
	case !p.HealthOK:
		return "not confirmed"
	case p.Watched:
		return "under watch"
	default:
		return "healthy"
	}
}
