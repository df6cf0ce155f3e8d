package apps_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"nexus/libupdates/apps"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updater"
)

func TestAppsComeAndGo(t *testing.T) {
	d := newDevice(t)
	d.mustInstall("1.0.0", "web")
	d.mustInstall("2.0.0", "alpha", "beta")
	if got, want := d.versions(), "alpha 2.0.0, beta 2.0.0, web 1.0.0"; got != want {
		t.Errorf("installed: got %q, want %q", got, want)
	}
	d.mustInstall("1.1.0", "web")
	must(t, d.apps.Uninstall(t.Context(), []string{"beta", "alpha"}, true))
	if got, want := d.versions(), "web 1.1.0"; got != want {
		t.Errorf("after an upgrade and an uninstall: got %q, want %q", got, want)
	}
	for _, newBoot := range []bool{false, true} {
		d.start(d.disk, newBoot)
		if got, want := d.versions(), "web 1.1.0"; got != want {
			t.Errorf("after a restart, new boot %v: got %q, want %q", newBoot, got, want)
		}
	}
	if d.published["web"] == 0 || len(d.published) != 2 {
		t.Errorf("published: %v", d.published)
	}
}

// What fails its trial goes back by itself: to the version before or, if there is none, to no app at all. It does not
// come back.
func TestTrialsOfApps(t *testing.T) {
	d := newDevice(t)
	d.mustInstall("1.0.0", "web")
	for _, c := range []struct{ name, version, left string }{{"web", "1.1.0", "web 1.0.0"}, {"bad", "1.0.0", "web 1.0.0"}} {
		e, serial, err := d.stage(c.name, archive(t, c.version, c.name), false)
		must(t, err)
		must(t, e.Staging.Switch(t.Context(), serial))
		for range 2 {
			_, err := e.Trial.Fail(t.Context(), updater.Failure{Boot: d.attempt(e), Reason: refusal.ServiceExited})
			must(t, err)
		}
		d.confirm(e, d.attempt(e))
		if got := d.versions(); got != c.left {
			t.Errorf("%s %s failed: got %q, want %q", c.name, c.version, got, c.left)
		}
		fails(t, d.install(c.version, c.name), refusal.Quarantined)
	}
	d.start(d.disk, true)
	fails(t, d.install("1.0.0", "bad"), refusal.Quarantined)
	d.mustUninstall("bad")
	d.mustInstall("1.0.0", "bad")
}

func TestRefusedApps(t *testing.T) {
	for name, c := range map[string]struct {
		as, version string
		bundles     []string
		want        refusal.Reason
	}{
		"a bundle of the system":             {"shell", "2.0.0", []string{"shell"}, refusal.NameTaken},
		"one of several is the system's":     {"apple", "2.0.0", []string{"apple", "shell"}, refusal.NameTaken},
		"a bundle of another app":            {"alto", "1.0.0", []string{"alto", "beta"}, refusal.NameTaken},
		"the core":                           {"nexus.core", "1.0.0", []string{"nexus.core"}, refusal.NameTaken},
		"a name like the core's":             {"a", "1.0.0", []string{"a", "nexus.x"}, refusal.NameTaken},
		"another package than said":          {"other", "1.0.0", []string{"new"}, refusal.NameMismatch},
		"another first bundle than said":     {"new", "1.0.0", []string{"a", "new"}, refusal.NameMismatch},
		"nothing in it":                      {"new", "1.0.0", nil, refusal.BadIndex},
		"an older version":                   {"web", "1.9.9", []string{"web"}, refusal.Downgrade},
		"a pre-release of what is installed": {"web", "2.0.0-rc.1", []string{"web"}, refusal.Downgrade},
		"what is installed":                  {"web", "2.0.0", []string{"web"}, refusal.AlreadyActive},
		"another build of what is installed": {"web", "2.0.0+x", []string{"web"}, refusal.Downgrade},
		"one app is left out":                {"alpha", "3.0.0", []string{"alpha"}, refusal.AppsTogether},
		"a name that leads out":              {"../web", "1.0.0", []string{"web"}, refusal.BadBundleName},
		"a hidden name":                      {".gone.web", "1.0.0", []string{"web"}, refusal.BadBundleName},
		"no name":                            {"", "1.0.0", []string{"web"}, refusal.BadBundleName},
		"a name with a line end":             {"we\nb", "1.0.0", []string{"web"}, refusal.BadBundleName},
		"a name that is too long":            {strings.Repeat("x", 65), "1.0.0", []string{"web"}, refusal.BadBundleName},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t)
			d.mustInstall("2.0.0", "web")
			d.mustInstall("2.0.0", "alpha", "beta")
			before := d.disk.Snapshot()
			_, _, err := d.stage(c.as, archive(t, c.version, c.bundles...), false)
			fails(t, err, c.want)
			if after := d.disk.Snapshot(); !slices.Equal(before, after) {
				t.Errorf("the disk has changed: %d names before, %d after", len(before), len(after))
			}
		})
	}
}

// What is allowed beside what TestRefusedApps refuses.
func TestUpgradesMayAddApps(t *testing.T) {
	d := newDevice(t)
	d.mustInstall("1.0.0", "alpha")
	d.mustInstall("1.1.0", "alpha", "beta")
	if got, want := d.versions(), "alpha 1.1.0, beta 1.1.0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Policies on the way down.
func goesDown(context.Context, nxs.Index) error { return nil }

func stays(_ context.Context, x nxs.Index) error {
	return refusal.New(refusal.PolicyDenied, "not to %s", x.SystemVersion)
}

// onceOnly is a policy that changes after it was asked once.
func onceOnly() func(context.Context, nxs.Index) error {
	asked := false
	return func(ctx context.Context, x nxs.Index) error {
		if asked {
			return stays(ctx, x)
		}
		asked = true
		return nil
	}
}

// A way down needs the operator and the policy.
func TestDowngrade(t *testing.T) {
	for _, c := range []struct {
		name     string
		older    bool
		policy   func(context.Context, nxs.Index) error
		want     refusal.Reason
		versions string
	}{
		{"neither", false, stays, refusal.Downgrade, "web 2.0.0"},
		{"the operator alone", true, stays, refusal.PolicyDenied, "web 2.0.0"},
		{"the policy alone", false, goesDown, refusal.Downgrade, "web 2.0.0"},
		{"both", true, goesDown, "", "web 1.0.0"},
		{"the policy, until it is staged", true, onceOnly(), refusal.PolicyDenied, "web 2.0.0"},
	} {
		d := newDevice(t)
		d.mustInstall("2.0.0", "web")
		d.config.Downgrade = c.policy
		d.start(d.disk, false)
		if err := d.installAs(c.older, "1.0.0", "web"); c.want != "" {
			fails(t, err, c.want)
		} else {
			must(t, err)
		}
		if got := d.versions(); got != c.versions {
			t.Errorf("%s: got %q, want %q", c.name, got, c.versions)
		}
	}
}

// An update of the system never takes the name of an app, whichever of them was staged first.
func TestSystemTakesNoNamesOfApps(t *testing.T) {
	d := newDevice(t)
	d.mustInstall("1.0.0", "web")
	_, err := stageIn(t.Context(), d.system, archive(t, "1.1.0", "shell", "web"), false)
	fails(t, err, refusal.NameTaken)
	if want := "web is the name of an app: `nx uninstall` it first"; refusal.DetailOf(err) != want {
		t.Errorf("got %q, want %q", refusal.DetailOf(err), want)
	}

	serial, err := stageIn(t.Context(), d.system, archive(t, "1.1.0", "later", "shell"), false)
	must(t, err)
	fails(t, d.install("1.0.0", "later"), refusal.NameTaken)
	must(t, d.system.Staging.Discard(t.Context(), serial))

	// one app is staged while the system stages the same name: neither gets to run
	e, release, err := d.apps.Take("race")
	must(t, err)
	defer release()
	app, err := stageIn(t.Context(), e, archive(t, "1.0.0", "race"), false)
	must(t, err)
	_, err = stageIn(t.Context(), d.system, archive(t, "1.1.0", "race", "shell"), false)
	fails(t, err, refusal.NameTaken)
	must(t, e.Staging.Discard(t.Context(), app))
	serial, err = stageIn(t.Context(), d.system, archive(t, "1.1.0", "race", "shell"), false)
	must(t, err)
	_, err = stageIn(t.Context(), e, archive(t, "1.0.0", "race"), false)
	fails(t, err, refusal.NameTaken)
	must(t, d.system.Staging.Switch(t.Context(), serial))
}

// While the system is on trial nothing about apps changes.
func TestAppsWaitForTheSystem(t *testing.T) {
	d := newDevice(t)
	d.mustInstall("0.9.0", "web")
	d.mustInstall("1.0.0", "web")
	e, serial, err := d.stage("web", archive(t, "1.1.0", "web"), false)
	must(t, err)
	boot := d.update(d.system, archive(t, "1.1.0", "shell"))

	_, _, err = d.stage("new", archive(t, "1.0.0", "new"), false)
	fails(t, err, refusal.TrialInProgress)
	fails(t, e.Staging.Switch(t.Context(), serial), refusal.TrialInProgress)
	fails(t, e.Recovery.Rollback(t.Context()), refusal.TrialInProgress)
	fails(t, d.apps.Uninstall(t.Context(), []string{"web"}, true), refusal.TrialInProgress)
	if got := d.versions(); got != "web 1.0.0" {
		t.Errorf("during the trial: %q", got)
	}
	d.confirm(d.system, boot)
	must(t, e.Staging.Switch(t.Context(), serial))
	d.confirm(e, d.attempt(e))
	if got := d.versions(); got != "web 1.1.0" {
		t.Errorf("after the trial: %q", got)
	}
	must(t, e.Recovery.Rollback(t.Context()))
	if got := d.versions(); got != "web 1.0.0" {
		t.Errorf("after the rollback: %q", got)
	}
}

func TestUninstallRefuses(t *testing.T) {
	d := newDevice(t)
	d.mustInstall("1.0.0", "web")
	d.mustInstall("1.0.0", "alpha", "beta")
	for _, c := range []struct {
		names []string
		want  refusal.Reason
	}{
		{nil, refusal.UnknownApp},
		{[]string{"none"}, refusal.UnknownApp},
		{[]string{"shell"}, refusal.UnknownApp},
		{[]string{"../web"}, refusal.UnknownApp},
		{[]string{"alpha"}, refusal.AppsTogether},
		{[]string{"beta"}, refusal.AppsTogether},
		{[]string{"web", "alpha"}, refusal.AppsTogether},
	} {
		fails(t, d.apps.Uninstall(t.Context(), c.names, false), c.want)
	}
	e, err := d.apps.Engine("web")
	must(t, err)
	d.update(e, archive(t, "1.1.0", "web"))
	fails(t, d.apps.Uninstall(t.Context(), []string{"web"}, false), refusal.TrialInProgress)
	if got, want := d.versions(), "alpha 1.0.0, beta 1.0.0, web 1.1.0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if d.audits[len(d.audits)-1].Op != "uninstall" || d.audits[len(d.audits)-1].Result != updater.Refused {
		t.Errorf("the last audit record: %+v", d.audits[len(d.audits)-1])
	}
}

// An uninstall that fails leaves the app as it was: installed, and published.
func TestAFailedUninstallChangesNothing(t *testing.T) {
	d := newDevice(t)
	d.mustInstall("1.0.0", "web")
	slot := d.published["web"]
	for name, fail := range map[string]func(){
		"nobody says that its publication has ended": func() { d.unheard = errors.New("no answer") },
		"its place cannot be renamed":                func() { d.disk.FailAt(1, syscall.EIO) },
	} {
		fail()
		if err := d.apps.Uninstall(t.Context(), []string{"web"}, true); err == nil {
			t.Fatalf("%s: uninstalled", name)
		}
		if got := d.published["web"]; got != slot || d.versions() != "web 1.0.0" {
			t.Errorf("%s: slot %s is published, want %s; installed: %s", name, got, slot, d.versions())
		}
		d.unheard = nil
		d.disk.Heal()
	}
	d.mustUninstall("web")
	if got := d.published["web"]; got != bootctl.None {
		t.Errorf("slot %s of what was uninstalled is published", got)
	}
}

// An app that was uninstalled with its state does not come back before somebody has removed that.
func TestUninstalledStateIsRemovedFirst(t *testing.T) {
	d := newDevice(t)
	d.mustInstall("1.0.0", "alpha", "beta")
	old, err := d.apps.Engine("alpha")
	must(t, err)
	must(t, d.apps.Uninstall(t.Context(), []string{"alpha", "beta"}, false))
	d.start(d.disk, true)
	if got := fmt.Sprint(d.apps.Gone()); got != "map[alpha:{[alpha beta]}]" {
		t.Errorf("gone: %s", got)
	}
	fails(t, d.install("1.0.0", "alpha", "beta"), refusal.StageInProgress)
	must(t, d.apps.Forget("alpha"))
	d.mustInstall("1.0.0", "alpha", "beta")
	if len(d.apps.Gone()) != 0 {
		t.Errorf("gone: %v", d.apps.Gone())
	}
	if err := old.Recovery.ClearQuarantine(t.Context(), nxs.Digest{}); err == nil {
		t.Error("the engine of what was uninstalled still works")
	}
}

func TestTooManyApps(t *testing.T) {
	d := newDevice(t)
	for i := range apps.MaxPackages {
		_, _, err := d.stage(fmt.Sprintf("app%02d", i), archive(t, "1.0.0", fmt.Sprintf("app%02d", i)), false)
		must(t, err)
	}
	_, _, err := d.stage("more", archive(t, "1.0.0", "more"), false)
	fails(t, err, refusal.TooManyApps)
	d.mustUninstall("app00")
	_, _, err = d.stage("more", archive(t, "1.0.0", "more"), false)
	must(t, err)
}

// What has the name of the folder of apps and is not a folder is set aside, and that is logged.
func TestOtherFilesAreSetAside(t *testing.T) {
	d, disk := newDevice(t), durabletest.New()
	file, err := disk.Create(apps.Dir, 0o644)
	must(t, err)
	must(t, file.Close())
	d.start(disk, true)
	if _, err := disk.Kind(apps.Dir + ".set-aside.1"); err != nil {
		t.Errorf("what was there is not set aside: %v", err)
	}
	if len(d.warned) != 1 || !strings.Contains(d.warned[0], apps.Dir+".set-aside.1") {
		t.Errorf("logged %q, want where it is now", d.warned)
	}
}

// What is not an app, and cannot be removed, such as a folder of another user, keeps nobody from starting.
func TestWhatCannotBeRemovedIsLeft(t *testing.T) {
	d, disk := newDevice(t), durabletest.New()
	must(t, disk.Mkdir(apps.Dir))
	must(t, disk.Mkdir(apps.Dir+"/not an app"))
	d.start(disk.Clone(), true)
	removal := slices.Index(d.disk.Ops(), "remove "+apps.Dir+"/not an app")
	disk = disk.Clone()
	disk.FailAt(removal+1, syscall.EACCES)
	d.start(disk, true)
	if len(d.warned) != 1 || !strings.Contains(d.warned[0], "not an app") {
		t.Errorf("logged %q, want what is left", d.warned)
	}
}

// TestInterruptedInstallIsKept interrupts a first install that can go on later: what came keeps its place, also over a
// restart, until it is installed or uninstalled. It counts as not installed.
func TestInterruptedInstallIsKept(t *testing.T) {
	d := newDevice(t)
	raw := archive(t, "1.0.0", "camera")
	wantRefused := func(err error, want refusal.Reason) {
		t.Helper()
		if refusal.Of(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	interrupt := func() {
		t.Helper()
		e, release, err := d.apps.Take("camera")
		must(t, err)
		stage, err := e.Staging.Stage(t.Context(), updater.Request{Life: t.Context(), Size: uint64(len(raw)),
			Operator: true, Resume: true})
		must(t, err)
		must(t, stage.Write(raw[:len(raw)-1]))
		stage.Drop()
		if _, _, err = stage.Finish(t.Context()); err == nil {
			t.Error("the stage was not interrupted")
		}
		release()
	}
	interrupt()
	must(t, d.tryStart(d.disk, true))
	if names := d.apps.Names(); !slices.Equal(names, []string{"camera"}) {
		t.Errorf("there are %q", names)
	}
	must(t, d.apps.CheckChange("camera", false))
	wantRefused(d.apps.CheckChange("camera", true), refusal.UnknownApp)
	d.mustUninstall("camera")
	if names := d.apps.Names(); len(names) > 0 {
		t.Errorf("there are %q", names)
	}
	must(t, d.apps.Forget("camera"))
	interrupt()
	d.mustInstall("1.0.0", "camera")
	must(t, d.apps.CheckChange("camera", true))
	wantRefused(d.apps.CheckChange("camera", false), refusal.AlreadyActive)
}

// The copy of the boot record that is kept for one boot is not made durable: a power cut leaves anything in its place.
// The next boot does not read it.
func TestCopyOfAnEarlierBootIsNotRead(t *testing.T) {
	d := newDevice(t)
	must(t, d.install("1.0.0", "web"))
	disk := d.disk.Clone()
	for _, name := range []string{"apps/web/boot.0", "apps/web/boot.1"} {
		must(t, disk.Overwrite(name, []byte("anything")))
	}
	d.start(disk, true)
	engine, err := d.apps.Engine("web")
	must(t, err)
	if version, _ := apps.Running(engine.Status()); version != "1.0.0" {
		t.Errorf("web %q runs", version)
	}
}
