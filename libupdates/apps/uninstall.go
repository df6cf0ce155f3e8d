package apps

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/updater"
)

// Beginnings of the names of places that were uninstalled, whose rest is the name of the package. No bundle has such a
// name.
const (
	goneMark = ".gone." // the state of its bundles is to be removed, see Gone
	keptMark = ".kept." // their state stays
)

// Uninstall removes a package, all of whose bundles have to be named. Nobody runs them any more once they are not
// published; then one rename removes the package, and the rest is cleared away. Refused as UnknownApp, as AppsTogether
// if bundles that came together are not all named, as TrialInProgress during a trial of the package or the system, and
// as StageInProgress.
func (a *Apps) Uninstall(ctx context.Context, names []string, keepState bool) error {
	a.changes.Lock()
	defer a.changes.Unlock()
	name, p, err := a.find(names)
	if err == nil {
		err = others{a, name}.Busy()
	}
	if err == nil {
		err = a.uninstall(ctx, name, p, keepState)
	}
	a.audit(ctx, name, p, err)
	return err
}

// find returns the package of which these are the bundles. One that cannot be opened goes by its own name.
func (a *Apps) find(names []string) (name string, p *pack, err error) {
	if len(names) == 0 {
		return "", nil, unknown("")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, p := range a.packages {
		if p.fault != nil {
			if names[0] == name {
				return name, p, nil
			}
			continue
		}
		has := bundlesOf(name, p.Status())
		if !slices.Contains(has, names[0]) {
			continue
		}
		for _, b := range has {
			if !slices.Contains(names, b) {
				return name, p, refusal.New(refusal.AppsTogether, "%s came with %s: uninstall both, or neither", b,
					names[0])
			}
		}
		for _, b := range names {
			if !slices.Contains(has, b) {
				return name, p, refusal.New(refusal.AppsTogether, "%s did not come with %s: uninstall one after the other",
					b, names[0])
			}
		}
		return name, p, nil
	}
	return "", nil, unknown(names[0])
}

// bundlesOf are the bundles of a package: those that run or, if none do, its name.
func bundlesOf(name string, s updater.Status) []string {
	_, bundles := Running(s)
	if len(bundles) == 0 {
		return []string{name}
	}
	var names []string
	for _, b := range bundles {
		names = append(names, b.Name)
	}
	return names
}

func (a *Apps) uninstall(ctx context.Context, name string, p *pack, keepState bool) error {
	if p.fault == nil {
		release, err := p.Staging.Retire()
		if err != nil {
			return err
		}
		defer release()
	}
	to := goneMark + name
	if keepState {
		to = keptMark + name
	}
	if err := a.takeAway(ctx, name, p, to); err != nil {
		p.place.closed.Store(false)
		if p.fault == nil {
			p.Trial.Resume() // its publication may have ended
		}
		return err
	}
	left := Gone{}
	if !keepState {
		left.Bundles = a.bundlesIn(to)
	}
	a.mu.Lock()
	delete(a.packages, name)
	a.gone[name] = left
	a.mu.Unlock()
	a.cfg.Changed()
	return nil
}

// takeAway ends the publication of a package, and then renames its place.
func (a *Apps) takeAway(ctx context.Context, name string, p *pack, to string) error {
	stay := slices.DeleteFunc(a.Names(), func(other string) bool { return other == name })
	if err := a.cfg.Retain(ctx, stay); err != nil {
		return err
	}
	p.place.closed.Store(true)
	return a.moveAway(name, to)
}

// moveAway renames a place, durably.
func (a *Apps) moveAway(from, to string) error {
	if err := a.cfg.FS.RemoveAll(to); err != nil {
		return err
	}
	if err := a.cfg.FS.Rename(from, to); err != nil {
		return err
	}
	err := a.cfg.FS.SyncDir(".")
	if err != nil {
		err = errors.Join(err, a.cfg.FS.Rename(to, from)) // as it was, as far as the disk lets it
	}
	return err
}

// bundlesIn are the bundles that a place held when it was uninstalled, as far as that can be told.
func (a *Apps) bundlesIn(dir string) []string {
	names := []string{strings.TrimPrefix(dir, goneMark)}
	store, err := slots.Open(newPlace(a.cfg.FS, dir))
	if err != nil {
		return names
	}
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B} {
		content, _ := store.Content(slot)
		for _, b := range content.Bundles {
			names = append(names, b.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// A Gone is what is left of a package that was uninstalled.
type Gone struct {
	Bundles []string // whose state is to be removed; none if it is to be kept
}

// Gone returns the packages that were uninstalled and that somebody may still run. Whoever keeps the state of bundles
// removes theirs once no program of theirs runs, and then calls Forget. Until then the package cannot come back.
func (a *Apps) Gone() map[string]Gone {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.gone)
}

// Forget says that nothing of a package that is Gone runs, or is left.
func (a *Apps) Forget(name string) error {
	a.changes.Lock()
	defer a.changes.Unlock()
	if _, is := a.Gone()[name]; !is {
		return nil
	}
	for _, mark := range []string{goneMark, keptMark} {
		if err := a.cfg.FS.RemoveAll(mark + name); err != nil {
			return err
		}
	}
	if err := a.cfg.FS.SyncDir("."); err != nil {
		return err
	}
	a.mu.Lock()
	delete(a.gone, name)
	a.mu.Unlock()
	a.cfg.Changed()
	return nil
}

// audit records an uninstall.
func (a *Apps) audit(ctx context.Context, name string, p *pack, err error) {
	what := updater.Audit{Op: "uninstall", App: name, Result: updater.OK, By: updater.CallerOf(ctx)}
	if p != nil && p.fault == nil {
		what.Version, _ = Running(p.Status())
	}
	if err != nil {
		what.Result, what.Reason = updater.Refused, refusal.Of(err)
		what.Detail = refusal.DetailOf(err)
		if what.Reason == refusal.IO {
			what.Result = updater.Failed
		}
	}
	a.cfg.Log.Audit(what)
}
