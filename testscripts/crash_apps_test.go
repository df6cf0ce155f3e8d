package testscripts

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"nexus/selftest/demo"
)

// An appStep is an operation on the demo's app, and the moment in it at which a daemon crashes.
type appStep struct {
	installed string // the version before; empty: none
	verb      string
	version   string // that it brings; empty: none
	// the console shows a line that begins so, and was not there before; or receivingApp; empty: at once
	at string
}

// receivingApp is the moment at which the set of an app is being received.
const receivingApp = "(receiving)"

// appFile is the set with a version of the app.
func appFile(version string) string { return filepath.Join(shared.demo(), "app-v"+version+".nxs") }

// reach brings the system to the moment, and strikes.
func (a appStep) reach(r *crashRig, strike func()) verbEnd {
	r.must("trust", "add", "--role", "apps", filepath.Join(shared.demo(), "keys", "apps.pub"))
	if a.installed != "" {
		r.must("install", appFile(a.installed))
	}
	shown := r.system.Count(a.at)
	args := []string{a.verb, demo.App}
	if a.version != "" {
		args[1] = appFile(a.version)
	}
	v := r.start(args...)
	r.eventually(a.at, func() bool {
		switch a.at {
		case "":
			return true
		case receivingApp:
			_, err := os.Lstat(r.at("system/apps/" + demo.App + "/sets/.stage"))
			return err == nil || v.Ended()
		}
		return r.system.Count(a.at) > shown || v.Ended()
	})
	strike()
	return v.wait(r)
}

// A packageState is what the matrix reads of `nx apps --json`.
type packageState struct {
	Package string
	Version *string
	systemState
}

// judge wants the app wholly as it was or wholly as it is to be, the latter if the operator was told so, and the system
// as it was. A crash of a daemon is not the app's fault; one that fails by itself is quarantined.
func (a appStep) judge(r *crashRig, end verbEnd) {
	now := a.quiet(r)
	if active := r.state.version(r.state.ActiveSlot); active != oldVersion || r.state.LastRollback != nil {
		r.t.Errorf("the system has %s after an %s: %+v", active, a.verb, r.state.LastRollback)
	}
	runs := now.runs()
	fails := a.version == brokenVersion
	switch {
	case end.exit == 0 && (runs != a.version || fails):
		r.t.Errorf("the operator was told of the %s to %q, and %q runs", a.verb, a.version, runs)
	case runs != a.installed && (runs != a.version || fails):
		r.t.Errorf("%q runs, which is neither %q nor %q", runs, a.installed, a.version)
	case fails && (now.LastRollback == nil || len(now.Quarantine) != 1):
		r.t.Errorf("an app that fails is not quarantined: %+v", now)
	case !fails && (now.LastRollback != nil || len(now.Quarantine) > 0):
		r.t.Errorf("a good app was rolled back: %+v", now)
	}
	r.wantSlots("system/apps/"+demo.App, now.systemState, appFile)
	if runs == "" {
		r.must("install", appFile(oldVersion))
	} else {
		r.must("uninstall", demo.App)
	}
}

// quiet waits until nothing is under way with the app, its service runs as its status says, and the disk has its place
// or none. It returns its status, which is empty without the package.
func (a appStep) quiet(r *crashRig) (now packageState) {
	r.eventually("the app to be quiet", func() bool {
		var all []packageState
		var services servicesState
		if err := r.ask(&all, "apps"); err != nil {
			r.last = err.Error()
			return false
		}
		if err := r.ask(&services, "services"); err != nil {
			r.last = err.Error()
			return false
		}
		places, _ := os.ReadDir(r.at("system/apps"))
		r.last = fmt.Sprintf("%+v %+v %v", all, services.Services, places)
		if len(all) != len(places) || len(all) > 1 {
			return false
		}
		now = packageState{}
		if len(all) == 1 {
			now = all[0]
		}
		return now.atRest() && slices.Equal(servicesOf(services), now.services())
	})
	return now
}

// runs is the version of a package that runs; empty: none.
func (p packageState) runs() string {
	if p.Version == nil {
		return ""
	}
	return *p.Version
}

// atRest reports whether nothing is under way with a package, and what runs of it is confirmed.
func (p packageState) atRest() bool {
	return p.PendingSlot == nil && !p.Staging && (p.Version == nil || p.HealthOK)
}

// services are the healthy services that a package should have.
func (p packageState) services() (all []string) {
	if p.Version != nil {
		all = append(all, strings.Join([]string{p.Package, p.runs(), "healthy"}, " "))
	}
	return all
}

// servicesOf are the services of apps.
func servicesOf(s servicesState) (all []string) {
	for _, one := range s.Services {
		if one.App != "" {
			all = append(all, strings.Join([]string{one.Name, one.Version, one.State}, " "))
		}
	}
	return all
}
