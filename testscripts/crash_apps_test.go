package testscripts

import (
	"fmt"
	"path/filepath"

	"nexus/selftest/demo"
)

// testApp is the app that the matrix installs.
const testApp = "plain-01"

// A packageState is what the matrix reads of `nx apps --json`.
type packageState struct {
	Package string
	Version *string
	systemState
}

// midInstall strikes when an app that is being installed is on trial.
func midInstall(r *crashRig, strike func()) verbEnd {
	set, err := demo.Many(shared.bin(), shared.demo(), 1, r.t.TempDir())
	if err != nil {
		r.t.Fatal(err)
	}
	r.must("trust", "add", "--role", "apps", filepath.Join(shared.demo(), "keys", "demo.pub"))
	v := r.start("install", set)
	line := "bundlemgrd: app " + testApp
	r.eventually(line, func() bool { return r.system.Count(line) > 0 || v.Ended() })
	strike()
	return v.wait(r)
}

// installedOrNot wants the app whole or not at all, there where the operator was told so, and the system as it was. A
// crash of a daemon is not the app's fault.
func installedOrNot(r *crashRig, end verbEnd) {
	var all []packageState
	r.eventually("the app to be quiet", func() bool {
		all = nil
		if err := r.ask(&all, "apps"); err != nil {
			r.last = err.Error()
			return false
		}
		r.last = fmt.Sprintf("%+v", all)
		return len(all) == 0 || all[0].PendingSlot == nil && !all[0].Staging
	})
	if active := r.state.version(r.state.ActiveSlot); active != oldVersion || r.state.LastRollback != nil {
		r.t.Errorf("the system has %s after an install: %+v", active, r.state.LastRollback)
	}
	installed := len(all) == 1 && all[0].Package == testApp && all[0].Version != nil
	switch {
	case len(all) > 1:
		r.t.Errorf("there are packages that nobody installed: %+v", all)
	case end.exit == 0 && !installed:
		r.t.Errorf("the operator was told of the install, and the packages are %+v", all)
	case len(all) == 1 && (len(all[0].Quarantine) > 0 || all[0].LastRollback != nil):
		r.t.Errorf("a good app was rolled back: %+v", all[0])
	case installed && !all[0].HealthOK:
		r.t.Errorf("the app is not confirmed: %+v", all[0])
	}
}
