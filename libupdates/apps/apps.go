package apps

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updater"
)

// Dir is the folder of apps, beside the slots of the system.
const Dir = "apps"

// Bounds.
const (
	MaxPackages = 64 // of a device
	MaxBundles  = 8  // of a package: with those of the system, no more than there are users (daemons/plat)
)

// A Config is what Apps work with.
type Config struct {
	FS durable.FS // in which Dir is the folder of apps
	// Engine is what the engine of a package works with. What belongs to its place is filled in here: its slots, its
	// record, and Others.
	Engine func(name string) updater.Config
	System func() updater.Status // how the system is; it waits for nobody
	// Retain has exactly these packages stay published, and waits until the others are not.
	Retain func(ctx context.Context, names []string) error
	// Downgrade refuses, as PolicyDenied, to go down to a set unless the device's policy allows it.
	Downgrade func(context.Context, nxs.Index) error
	// NewBoot says that nobody has opened the apps in this boot.
	NewBoot bool
	Log     updater.Log
	Changed func() // called after each change of what packages there are; it must not block; nil: nobody wants to know
}

// Apps are the packages of a device. Methods may be called from any goroutine.
type Apps struct {
	cfg Config

	changes sync.Mutex // held while packages come and go; taken before mu

	mu       sync.Mutex
	packages map[string]*pack
	gone     map[string]Gone // what was uninstalled, until nobody can run it any more
}

// A pack is one package.
type pack struct {
	*updater.Engine // nil if the place cannot be opened
	place           *place
	fault           error
	users           int // how many have taken it; changes only under changes
}

// Open opens the places of all packages. What a cut left of others, and whatever else is there, is removed, unless that
// is not permitted. A place that cannot be opened is reported, and keeps nobody from starting.
func Open(cfg Config) (*Apps, error) {
	if cfg.Changed == nil {
		cfg.Changed = func() {}
	}
	if err := prepare(cfg.FS, cfg.Log); err != nil {
		return nil, fmt.Errorf("cannot open apps: %w", err)
	}
	cfg.FS = newPlace(cfg.FS, Dir)
	a := &Apps{cfg: cfg, packages: map[string]*pack{}, gone: map[string]Gone{}}
	names, err := cfg.FS.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("cannot open apps: %w", err)
	}
	for _, name := range names {
		if err := a.load(name); err != nil {
			return nil, fmt.Errorf("cannot open apps: %w", err)
		}
	}
	return a, nil
}

// prepare makes the folder of apps. Anything else of its name is set aside, and that is logged.
func prepare(files durable.FS, log updater.Log) error {
	kind, err := files.Kind(Dir)
	if err == nil && kind == fs.ModeDir {
		return nil
	}
	if err == nil {
		var to string
		to, err = durable.SetAside(files, Dir)
		log.Warn("what has the name of the folder of apps is set aside", "was", durable.KindName(kind), "as", to)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := files.Mkdir(Dir); err != nil {
		return err
	}
	return files.SyncDir(".")
}

// load takes up one name in the folder.
func (a *Apps) load(name string) error {
	if gone, is := strings.CutPrefix(name, goneMark); is {
		a.gone[gone] = Gone{a.bundlesIn(name)}
		return nil
	}
	if kept, is := strings.CutPrefix(name, keptMark); is {
		a.gone[kept] = Gone{}
		return nil
	}
	if nxb.CheckName(name) != nil {
		err := a.cfg.FS.RemoveAll(name)
		if errors.Is(err, fs.ErrPermission) {
			a.cfg.Log.Warn("what is not an app cannot be removed", "name", name, "error", err)
			return nil
		}
		return err
	}
	p := a.open(name)
	if p.fault != nil {
		a.cfg.Log.Error("app cannot be opened", "app", name, "error", p.fault)
	}
	if p.fault == nil && p.isBlank() {
		return a.remove(name)
	}
	a.packages[name] = p
	return nil
}

// open opens the engine of a package whose folder is there.
func (a *Apps) open(name string) *pack {
	p := &pack{place: newPlace(a.cfg.FS, name)}
	if a.cfg.NewBoot {
		if p.fault = p.place.forgetBoot(); p.fault != nil {
			return p
		}
	}
	cfg := a.cfg.Engine(name)
	cfg.Slots, cfg.Record, cfg.BootCopy = p.place, p.place.cell(recordFile), p.place.cell(bootFile)
	cfg.Others = others{a, name}
	p.Engine, p.fault = updater.Open(cfg)
	return p
}

// remove removes a folder that no package needs.
func (a *Apps) remove(name string) error {
	if err := a.cfg.FS.RemoveAll(name); err != nil {
		return err
	}
	return a.cfg.FS.SyncDir(".")
}

// isBlank reports whether a package has nothing to keep: no set, none that must not come back, and nothing that an
// interrupted fetch goes on with.
func (p *pack) isBlank() bool {
	now := p.Status()
	return !now.Staging && len(now.Record.Quarantine) == 0 && !p.Staging.HasKept() &&
		now.Record.Slots == [2]bootctl.Content{} &&
		now.Record.Staged.IsEmpty()
}

// Names returns the names of the packages that can be used, in byte order.
func (a *Apps) Names() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(a.packages)) {
		if a.packages[name].fault == nil {
			names = append(names, name)
		}
	}
	return names
}

// Started returns the names of the packages that something was switched to, in byte order: those that have attempts.
func (a *Apps) Started() []string {
	all := a.all()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(all)),
		func(name string) bool { return all[name].Record().Slots == [2]bootctl.Content{} })
}

// Engine returns the engine of a package. Refused as UnknownApp.
func (a *Apps) Engine(name string) (*updater.Engine, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.packages[name]
	switch {
	case p == nil:
		return nil, unknown(name)
	case p.fault != nil:
		return nil, p.fault
	}
	return p.Engine, nil
}

// CheckChange refuses to install what runs already, as AlreadyActive, and to upgrade what does not, as UnknownApp.
func (a *Apps) CheckChange(name string, upgrade bool) error {
	version := ""
	if engine, err := a.Engine(name); err == nil {
		version, _ = Running(engine.Status())
	} else if refusal.Of(err) != refusal.UnknownApp {
		return err
	}
	switch {
	case !upgrade && version != "":
		return refusal.New(refusal.AlreadyActive, "%s %s is installed: `nx upgrade` it", name, version)
	case upgrade && version == "":
		return refusal.New(refusal.UnknownApp, "there is no app %s: `nx install` it", name)
	}
	return nil
}

func unknown(name string) error {
	return refusal.New(refusal.UnknownApp, "there is no app %q", name)
}

// Take returns the engine of a package for a stage, in a place of its own if there is none yet. A place in which
// nothing was left once all have released it goes again. Refused as BadBundleName and TooManyApps, and as
// StageInProgress while the package that was there before is being uninstalled.
func (a *Apps) Take(name string) (engine *updater.Engine, release func(), err error) {
	if err := nxb.CheckName(name); err != nil {
		return nil, nil, err
	}
	a.changes.Lock()
	defer a.changes.Unlock()
	engine, err = a.Engine(name)
	if refusal.Of(err) == refusal.UnknownApp {
		engine, err = a.make(name)
	}
	if err != nil {
		return nil, nil, err
	}
	p := a.at(name)
	p.users++
	return engine, sync.OnceFunc(func() { a.release(name, p) }), nil
}

// release lets go of a package.
func (a *Apps) release(name string, p *pack) {
	a.changes.Lock()
	defer a.changes.Unlock()
	p.users--
	if p.users > 0 || a.at(name) != p || !p.isBlank() {
		return
	}
	p.place.closed.Store(true)
	if err := a.remove(name); err != nil {
		a.cfg.Log.Warn("empty place stays until the next start", "app", name, "error", err)
	}
	a.mu.Lock()
	delete(a.packages, name)
	a.mu.Unlock()
	a.cfg.Changed()
}

// at returns a package, or nil.
func (a *Apps) at(name string) *pack {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.packages[name]
}

// make makes a place for a package.
func (a *Apps) make(name string) (*updater.Engine, error) {
	a.mu.Lock()
	_, leaving := a.gone[name]
	count := len(a.packages)
	a.mu.Unlock()
	switch {
	case leaving:
		return nil, refusal.New(refusal.StageInProgress, "%s is still being uninstalled", name)
	case count >= MaxPackages:
		return nil, refusal.New(refusal.TooManyApps, "the device has %d apps or sets of apps, and no room for more",
			MaxPackages)
	}
	if err := a.makeDir(name); err != nil {
		return nil, fmt.Errorf("cannot make a place for %s: %w", name, err)
	}
	p := a.open(name)
	if p.fault != nil {
		return nil, errors.Join(p.fault, a.remove(name))
	}
	a.mu.Lock()
	a.packages[name] = p
	a.mu.Unlock()
	a.cfg.Changed()
	return p.Engine, nil
}

func (a *Apps) makeDir(name string) error {
	if err := a.cfg.FS.RemoveAll(name); err != nil { // left by a release that failed
		return err
	}
	if err := a.cfg.FS.Mkdir(name); err != nil {
		return err
	}
	return a.cfg.FS.SyncDir(".")
}

// all returns the packages that can be used.
func (a *Apps) all() map[string]*pack {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := maps.Clone(a.packages)
	maps.DeleteFunc(all, func(_ string, p *pack) bool { return p.fault != nil })
	return all
}

// Stop lets no stage begin in any package, and waits for those under way.
func (a *Apps) Stop() {
	for _, p := range a.all() {
		p.Staging.Stop()
	}
}
