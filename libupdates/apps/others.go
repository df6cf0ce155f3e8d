package apps

import (
	"context"
	"slices"
	"strings"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/semver"
	"nexus/libupdates/updater"
)

// reserved begins the names of what the system itself is made of.
const reserved = "nexus."

// PackageOf is the name of the package that a set of apps is; empty for a set without bundles.
func PackageOf(bundles []nxs.Entry) string {
	if len(bundles) == 0 {
		return ""
	}
	return bundles[0].Name
}

// Running returns the set that runs, or is to run, in a slot pair.
func Running(s updater.Status) (version string, bundles []nxs.Entry) {
	content := s.Contents[s.Record.Running()-bootctl.A]
	return content.Version, content.Bundles
}

// held are the bundles that a slot pair holds: what runs, what it could go back to and what is staged. What was
// rolled back and must not come back counts for nothing.
func held(s updater.Status) []string {
	var names []string
	for _, content := range s.Contents {
		if s.Record.IsQuarantined(bootctl.Digest(content.Digest)) {
			continue
		}
		for _, b := range content.Bundles {
			names = append(names, b.Name)
		}
	}
	return names
}

// Others of the system: a set that brings a bundle with the name of an app is refused, as NameTaken.
func (a *Apps) Others() updater.Others { return toSystem{a} }

type toSystem struct{ apps *Apps }

// Busy disturbs nobody: the system may be updated whatever its apps do.
func (toSystem) Busy() error { return nil }

// Admit refuses names of apps.
func (s toSystem) Admit(_ context.Context, x nxs.Index, _ bool) error {
	return s.apps.freeOf("", x.Bundles)
}

// freeOf refuses names that packages other than this one hold.
func (a *Apps) freeOf(pkg string, bundles []nxs.Entry) error {
	for name, p := range a.all() {
		if name == pkg {
			continue
		}
		taken := held(p.Status())
		for _, b := range bundles {
			if slices.Contains(taken, b.Name) {
				return refusal.New(refusal.NameTaken, "%s is the name of an app: `nx uninstall` it first", b.Name)
			}
		}
	}
	return nil
}

// others of a package are the system and the other packages.
type others struct {
	apps *Apps
	name string
}

// Busy refuses every change while the system is on trial: what fails then has to be the system's fault.
func (o others) Busy() error {
	if r := o.apps.cfg.System().Record; r.Pending != bootctl.None {
		return refusal.New(refusal.TrialInProgress, "slot %s of the system is on trial: apps wait for its verdict",
			r.Pending)
	}
	return nil
}

// Admit refuses a set that is not this package, that shadows what others hold, or that is not newer than what runs.
func (o others) Admit(ctx context.Context, x nxs.Index, older bool) error {
	if name := PackageOf(x.Bundles); name != o.name {
		return refusal.New(refusal.NameMismatch, "the first bundle of the set is %q, not %q", name, o.name)
	}
	if len(x.Bundles) > MaxBundles {
		return refusal.New(refusal.TooManyBundles, "the set has %d apps, want at most %d", len(x.Bundles), MaxBundles)
	}
	taken := held(o.apps.cfg.System())
	for _, b := range x.Bundles {
		switch {
		case strings.HasPrefix(b.Name, reserved):
			return refusal.New(refusal.NameTaken, "%s: names that begin with %s are the system's", b.Name, reserved)
		case slices.Contains(taken, b.Name):
			return refusal.New(refusal.NameTaken, "%s is the name of a bundle of the system", b.Name)
		}
	}
	if err := o.apps.freeOf(o.name, x.Bundles); err != nil {
		return err
	}
	engine, err := o.apps.Engine(o.name)
	if err != nil {
		return err
	}
	return o.follows(ctx, engine.Status(), x, older)
}

// follows refuses a set that leaves out an app of the one that runs, or is not newer. The same set is left to the
// record to refuse.
func (o others) follows(ctx context.Context, now updater.Status, x nxs.Index, older bool) error {
	version, bundles := Running(now)
	if version == "" {
		return nil
	}
	for _, had := range bundles {
		if !slices.ContainsFunc(x.Bundles, func(b nxs.Entry) bool { return b.Name == had.Name }) {
			return refusal.New(refusal.AppsTogether, "%s came with %s, and the set does not have it", had.Name, o.name)
		}
	}
	same := now.Contents[now.Record.Running()-bootctl.A].Bundles
	if slices.EqualFunc(same, x.Bundles, sameEntry) && version == x.SystemVersion {
		return nil
	}
	down := notNewer(version, bundles, x)
	if down == "" {
		return nil
	}
	if !older {
		return refusal.New(refusal.Downgrade, "%s", down)
	}
	if err := o.apps.cfg.Downgrade(ctx, x); refusal.Of(err) == refusal.PolicyDenied {
		return refusal.New(refusal.PolicyDenied, "%s: %s", down, refusal.DetailOf(err))
	} else {
		return err
	}
}

func sameEntry(a, b nxs.Entry) bool {
	return a.Name == b.Name && a.Version == b.Version && a.ManifestSHA256 == b.ManifestSHA256 &&
		a.PayloadSHA256 == b.PayloadSHA256
}

// notNewer tells why a set is not newer than the one that runs; empty: it is. No bundle of it may be older, either.
func notNewer(version string, bundles []nxs.Entry, x nxs.Index) string {
	if semver.Compare(x.SystemVersion, version) <= 0 {
		return x.SystemVersion + " is not newer than " + version + ", which is installed"
	}
	for _, had := range bundles {
		for _, b := range x.Bundles {
			if b.Name == had.Name && semver.Compare(b.Version, had.Version) < 0 {
				return b.Name + " " + b.Version + " is older than " + had.Version + ", which is installed"
			}
		}
	}
	return ""
}
