package testscripts

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"nexus/libupdates/refusal"
	"nexus/selftest/demo"
)

// What the systems of the matrix run, may be brought, and must leave.
const (
	oldVersion    = "1.0.0"
	newVersion    = "1.1.0"
	brokenVersion = "1.2.0"
)

// A stand is a point in an operation. reach brings the system there, strikes, goes on as an operator does, and returns
// how the operator's last command ended; judge wants what may come of that.
type stand struct {
	name  string
	reach func(r *crashRig, strike func()) verbEnd
	judge func(r *crashRig, end verbEnd)
}

var stands = []stand{
	{"before", beforeStage, oldOrNew},
	{"mid-stage", midStage, stagedOrNot},
	{"delta", midDelta, stagedOrNot},
	{"staged", afterStage, oldOrNew},
	{"switching", atConsole(newVersion, "updated: audit op=switch"), oldOrNew},
	{"trial", atConsole(newVersion, "bundlemgrd: slot b active"), oldOrNew},
	{"watch", underWatch, newStays},
	{"rollback", atConsole(brokenVersion, "updated: audit op=rollback"), oldReturns},
	standOf("app-stage", appStep{"", "install", oldVersion, receivingApp}),
	standOf("install", appStep{"", "install", oldVersion, "bundlemgrd: app " + demo.App}),
	standOf("upgrade", appStep{oldVersion, "upgrade", newVersion, "bundlemgrd: app " + demo.App}),
	standOf("app-rollback", appStep{oldVersion, "upgrade", brokenVersion, "updated: audit op=rollback app=" + demo.App}),
	standOf("uninstall", appStep{oldVersion, "uninstall", "", ""}),
	standOf("uninstalled", appStep{oldVersion, "uninstall", "", "updated: audit op=uninstall app=" + demo.App}),
}

func standOf(name string, a appStep) stand { return stand{name, a.reach, a.judge} }

// beforeStage strikes, and the update begins at once.
func beforeStage(r *crashRig, strike func()) verbEnd {
	strike()
	return r.nx("update", setFile(newVersion))
}

// midStage holds the operator's command while its set is being received, strikes, and lets it go on.
func midStage(r *crashRig, strike func()) verbEnd {
	for range 50 {
		v := r.start("stage", setFile(newVersion))
		r.eventually("a stage to begin", func() bool { return r.receiving() || v.Ended() })
		if v.hold() && r.receiving() {
			strike()
			v.Signal(syscall.SIGCONT)
			return v.wait(r)
		}
		v.Signal(syscall.SIGCONT) // it was all sent already
		if end := v.wait(r); end.exit == 0 {
			r.must("discard")
		}
	}
	r.t.Fatal("no stage could be held half way")
	return verbEnd{}
}

// midDelta strikes while the new set is made from a delta.
func midDelta(r *crashRig, strike func()) verbEnd {
	file := filepath.Join(r.t.TempDir(), "up.nxdelta")
	pack := exec.CommandContext(r.t.Context(), filepath.Join(shared.bin(), "nxs-pack"), "delta", "--key",
		filepath.Join(shared.demo(), "keys", "demo"), "--output", file, setFile(oldVersion), setFile(newVersion))
	if out, err := pack.CombinedOutput(); err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
	v := r.start("stage", file)
	r.eventually("a stage to begin", func() bool { return r.receiving() || v.Ended() })
	strike()
	return v.wait(r)
}

// afterStage strikes between an operator's two commands.
func afterStage(r *crashRig, strike func()) verbEnd {
	r.must("stage", setFile(newVersion))
	strike()
	return r.nx("switch")
}

// underWatch strikes once the operator was told that the set is confirmed.
func underWatch(r *crashRig, strike func()) verbEnd {
	end := r.nx("update", setFile(newVersion))
	strike()
	return end
}

// atConsole strikes in an update, when the console shows a line that begins so, and was not there before.
func atConsole(version, line string) func(*crashRig, func()) verbEnd {
	return func(r *crashRig, strike func()) verbEnd {
		shown := r.system.Count(line)
		v := r.start("update", setFile(version))
		r.eventually(line, func() bool { return r.system.Count(line) > shown })
		strike()
		return v.wait(r)
	}
}

// oldOrNew wants the set before or the set that was brought, and the one that was brought where the operator was told
// so. A crash of a daemon is no fault of a set, so nothing is quarantined.
func oldOrNew(r *crashRig, end verbEnd) {
	active := r.state.version(r.state.ActiveSlot)
	switch {
	case active != oldVersion && active != newVersion:
		r.t.Errorf("%q is active, which is neither old nor new", active)
	case end.verb == "update" && end.exit == 0 && active != newVersion:
		r.t.Errorf("the operator was told of the update, and %s is active", active)
	case end.verb == "switch" && end.exit == 0 && active != newVersion:
		r.t.Errorf("the operator was told of the trial, and %s is active", active)
	case len(r.state.Quarantine) > 0 || r.state.LastRollback != nil:
		r.t.Errorf("a good set was rolled back: %+v", r.state.LastRollback)
	}
}

// stagedOrNot wants the old set, and the new one staged where the operator was told so, and nowhere else but where he
// was told nothing: a file that was handed over is staged without him, and who was to tell him may crash when it is.
func stagedOrNot(r *crashRig, end verbEnd) {
	if active := r.state.version(r.state.ActiveSlot); active != oldVersion {
		r.t.Errorf("%s is active, and nobody switched", active)
	}
	told := end.exit == 0 || end.reason == string(refusal.Disconnected)
	if staged := r.state.StagedSlot != nil; end.exit == 0 && !staged || staged && !told {
		r.t.Errorf("a set is staged: %t; the operator's command: %+v", staged, end)
	}
}

// newStays wants a confirmed set to survive crashes that are none of its services'.
func newStays(r *crashRig, end verbEnd) {
	if active := r.state.version(r.state.ActiveSlot); end.exit != 0 || active != newVersion ||
		r.state.LastRollback != nil {
		r.t.Errorf("%s is active after %+v, last rollback %+v", active, end, r.state.LastRollback)
	}
}

// oldReturns wants a set that failed to be left, and to stay out.
func oldReturns(r *crashRig, end verbEnd) {
	if active := r.state.version(r.state.ActiveSlot); end.exit != 1 || active != oldVersion {
		r.t.Errorf("%s is active after %+v", active, end)
	}
	if r.state.LastRollback == nil || r.state.LastRollback.SystemVersion != brokenVersion ||
		len(r.state.Quarantine) != 1 {
		r.t.Errorf("the broken set is not quarantined: %+v, last rollback %+v", r.state.Quarantine,
			r.state.LastRollback)
	}
}

// receiving reports whether a set is being received.
func (r *crashRig) receiving() bool {
	_, err := os.Lstat(r.at("system/sets/.stage"))
	return err == nil
}

// eventually looks again and again until something is so, within waitLimit.
func (r *crashRig) eventually(what string, so func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(waitLimit)
	for !so() {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited %s in vain for %s; %s", waitLimit, what, r.last)
		}
		time.Sleep(lookPause)
	}
}

// lookPause is short beside the parts of a stage.
const lookPause = 200 * time.Microsecond
