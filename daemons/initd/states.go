package initd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/updateclient"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/bundlestate"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
)

// bundlesDir is where the state of bundles is kept, in the system's folder.
const bundlesDir = "bundles"

// A stateKeeper keeps the state of bundles, and shows each program its own. Nil for a system without durable state.
type stateKeeper struct {
	root   *os.Root
	dir    *os.File                                             // bundlesDir
	view   string                                               // where programs find it
	images bool                                                 // each generation is an image, and has a quota
	mounts bool                                                 // what programs find is mounted
	status func(context.Context) ([]updateclient.Status, error) // of the system, then of packages of apps
	log    *logclient.Log

	mu     sync.Mutex        // held by whoever changes what is kept
	opened map[string]opened // bundles whose programs were started
}

// An opened is how the state of a bundle was made ready last.
type opened struct {
	name  string // of the generation
	quota int64
	user  uint32
}

// openStates opens the state of bundles. left says that the core before has left what is mounted.
func openStates(f *folder, view string, left bool, log *logclient.Log) (*stateKeeper, error) {
	if view == "" {
		return nil, nil
	}
	const beginAnew = "put the folder back, or move this away to begin without state"
	if err := f.prepareDir(bundlesDir, beginAnew, false); err != nil {
		return nil, err
	}
	k := &stateKeeper{
		opened: map[string]opened{},
		view:   view, images: plat.CanMountImages() == nil, mounts: plat.CanMount(), log: log,
	}
	var err error
	if k.dir, err = f.below(bundlesDir); err != nil {
		return nil, err
	}
	if k.root, err = plat.Root(k.dir); err != nil {
		k.dir.Close()
		return nil, err
	}
	if !left {
		k.detach()
	}
	if k.mounts {
		err = os.MkdirAll(view, 0o755)
	}
	if err != nil {
		k.close()
		return nil, cannotUse(view, plainly(err), "")
	}
	return k, nil
}

// stateless tells why bundles can keep no state; empty: they can.
func (k *stateKeeper) stateless() string {
	switch {
	case k == nil:
		return "this system keeps no state: it was started without a state folder"
	case !k.mounts && plat.MaySetUsers():
		return "this system may give programs users of their own, but not mount what they may see"
	}
	return ""
}

// unlimited tells why a program cannot be held to its quota; empty: it can.
func (k *stateKeeper) unlimited() string {
	if k == nil || k.images {
		return ""
	}
	return fmt.Sprintf("this machine cannot hold a program to its quota: it %v", plat.CanMountImages())
}

// detach unmounts what was mounted for programs.
func (k *stateKeeper) detach() {
	if !k.mounts {
		return
	}
	if err := plat.DetachBelow(k.view); err != nil {
		k.log.Warn("state of bundles stays mounted", "error", err)
		return
	}
	os.RemoveAll(k.view) // empty folders
}

// close gives up the folders.
func (k *stateKeeper) close() {
	if k != nil {
		k.root.Close()
		k.dir.Close()
	}
}

// end takes away what programs see; none runs any more.
func (k *stateKeeper) end() {
	if k != nil {
		k.detach()
	}
}

// open makes the state of a bundle of a set ready for its program, which runs as that user, and returns its path.
func (k *stateKeeper) open(ctx context.Context, bundle string, set bootctl.Digest, user uint32, quota int64) (string,
	error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, err := k.nowOf(ctx, bundle, set)
	if err != nil {
		return "", err
	}
	want := now.wantOf(bundle)
	if want.Runs == (bundlestate.Identity{}) {
		return "", refusal.New(refusal.UnknownBundle, "the running set has no bundle %s", bundle)
	}
	name, err := k.store().Open(bundle, want)
	if err != nil {
		return "", err
	}
	k.opened[bundle] = opened{name, quota, user}
	return k.show(bundle, name, user, quota)
}

// holds reports whether open would show a program of the bundle the state that was shown to the last one.
func (k *stateKeeper) holds(ctx context.Context, bundle string, set bootctl.Digest, user uint32, quota int64) bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now, err := k.nowOf(ctx, bundle, set)
	if err != nil {
		return false
	}
	name, err := k.store().Ready(bundle, now.wantOf(bundle))
	return err == nil && k.opened[bundle] == opened{name, quota, user}
}

func (k *stateKeeper) store() bundlestate.Store {
	return bundlestate.Store{Disk: stateDisk{durable.OS(k.root), k}}
}

// show lets a program see a generation.
func (k *stateKeeper) show(bundle, name string, user uint32, quota int64) (string, error) {
	kind, err := k.store().Disk.Kind(name)
	if err != nil {
		return "", err
	}
	if kind == 0 {
		if !k.images {
			return "", fmt.Errorf("cannot use state of %s: it is an image, which %v", bundle, plat.CanMountImages())
		}
		return plat.MountImage(k.dir, name, k.viewOf(bundle), quota, k.owner(user))
	}
	if k.images {
		return "", fmt.Errorf("cannot use state of %s: it was kept without a quota", bundle)
	}
	tree, err := k.root.Open(name)
	if err != nil {
		return "", err
	}
	defer tree.Close()
	if err := plat.Rehome(tree, k.owner(user)); err != nil {
		return "", err
	}
	if k.mounts {
		at := filepath.Join(k.viewOf(bundle), stateView)
		return at, plat.Bind(tree, at, 0)
	}
	return k.link(bundle, name)
}

// stateView is the last part of the path by which a program finds its state, whatever the machine can.
const stateView = "state"

// link leads the path that a program has to a generation.
func (k *stateKeeper) link(bundle, name string) (string, error) {
	link := path.Join(bundle, stateView)
	if target, err := k.root.Readlink(link); err != nil || target != path.Base(name) {
		temporary := path.Join(bundle, ".link")
		if err := k.root.RemoveAll(temporary); err != nil {
			return "", err
		}
		if err := k.root.Symlink(path.Base(name), temporary); err != nil {
			return "", err
		}
		if err := k.root.Rename(temporary, link); err != nil {
			return "", err
		}
	}
	return filepath.Join(k.view, link), nil
}

// viewOf is where something is mounted for a bundle.
func (k *stateKeeper) viewOf(bundle string) string { return filepath.Join(k.view, bundle) }

// owner is who the programs of a bundle run as.
func (k *stateKeeper) owner(user uint32) uint32 {
	if user == 0 || !plat.MaySetUsers() {
		return uint32(os.Geteuid())
	}
	return user
}

// settle removes what no rollback can return to any more.
func (k *stateKeeper) settle(ctx context.Context) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.settleAll(ctx)
	if err != nil && ctx.Err() == nil {
		k.log.Warn("state of bundles is not tidied up", "error", err)
	}
}

func (k *stateKeeper) settleAll(ctx context.Context) error {
	bundles, err := k.store().Bundles()
	if err != nil || len(bundles) == 0 {
		return err
	}
	now, err := k.now(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, bundle := range bundles {
		errs = append(errs, k.store().Settle(bundle, now.of(bundle).wantOf(bundle)))
	}
	return errors.Join(errs...)
}

// now asks for the records.
func (k *stateKeeper) now(ctx context.Context) (all records, err error) {
	statuses, err := k.status(ctx)
	for _, status := range statuses {
		all = append(all, recorded{status})
	}
	return all, err
}

// nowOf returns the record that a bundle is of. Refused as Stale unless that set is to run.
func (k *stateKeeper) nowOf(ctx context.Context, bundle string, set bootctl.Digest) (recorded, error) {
	all, err := k.now(ctx)
	if err != nil {
		return recorded{}, err
	}
	now := all.of(bundle)
	if now.Slot(now.running()).Digest != set {
		return recorded{}, refusal.New(refusal.Stale, "another set than that of the bundle is to run")
	}
	return now, nil
}

// updateStatus asks updated how the records are: that of the system, and those of the packages of apps.
func (s *system) updateStatus(ctx context.Context) (all []updateclient.Status, err error) {
	pairs := []slotPair{s.itself()}
	for _, name := range s.apps.names() {
		pairs = append(pairs, s.app(name))
	}
	for _, p := range pairs {
		err := p.status.call(ctx, func(client capnp.Client) error {
			status, err := updateclient.Get(ctx, update.UpdateStatus(client))
			all = append(all, status)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// remove removes the state of bundles that nobody runs, and that no set has. What updated names may lead anywhere.
func (k *stateKeeper) remove(bundles []string) error {
	if k == nil || len(bundles) == 0 {
		return nil
	}
	for _, bundle := range bundles {
		if err := nxb.CheckName(bundle); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, bundle := range bundles {
		if k.mounts {
			if err := plat.DetachBelow(k.viewOf(bundle)); err != nil {
				return err
			}
		}
		if err := k.root.RemoveAll(bundle); err != nil {
			return err
		}
		delete(k.opened, bundle)
	}
	return k.store().Disk.SyncDir(".")
}

// records are those of the system and of the packages of apps, in this order.
type records []recorded

// of returns the record that a bundle is of: that of the first slot pair with the bundle, or else the system's.
func (all records) of(bundle string) recorded {
	for _, r := range all {
		if identityIn(r.Slot(bootctl.A), bundle) != (bundlestate.Identity{}) ||
			identityIn(r.Slot(bootctl.B), bundle) != (bundlestate.Identity{}) {
			return r
		}
	}
	return all[0]
}

// A recorded is the boot record, as far as it says which state belongs to which code.
type recorded struct{ updateclient.Status }

// running is the slot that is to run.
func (r recorded) running() bootctl.Slot {
	if r.Pending != bootctl.None {
		return r.Pending
	}
	return r.Active
}

// wantOf says what the record wants of a bundle's state.
func (r recorded) wantOf(bundle string) bundlestate.Want {
	runs := r.Slot(r.running())
	want := bundlestate.Want{Runs: identityIn(runs, bundle), Unsure: isUnsure(runs)}
	if r.Pending == bootctl.None && !r.Watched {
		return want
	}
	back := r.Slot(r.running().Other())
	want.Returns, want.Back, want.Unsure = true, identityIn(back, bundle), want.Unsure || isUnsure(back)
	if r.Pending != bootctl.None {
		want.Trial = r.Stage
	}
	return want
}

func identityIn(slot updateclient.Slot, bundle string) bundlestate.Identity {
	for _, b := range slot.Bundles {
		if b.Name == bundle {
			return b.Identity
		}
	}
	return bundlestate.Identity{}
}

// isUnsure reports whether it is not known which bundles a slot has.
func isUnsure(slot updateclient.Slot) bool {
	return slot.Damage != "" || !slot.IsEmpty() && len(slot.Bundles) == 0
}

// A stateDisk makes and copies generations.
type stateDisk struct {
	durable.FS
	keeper *stateKeeper
}

// Make makes an empty generation.
func (d stateDisk) Make(name string) error {
	if d.keeper.images {
		return d.makeImage(name)
	}
	if err := d.keeper.root.Mkdir(name, fs.FileMode(0o700)); err != nil {
		return err
	}
	return d.SyncDir(name)
}

// makeImage makes a generation with a file system of its own.
func (d stateDisk) makeImage(name string) error {
	f, err := d.keeper.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(bundlestate.ImageSize); err != nil {
		return err
	}
	if err := bundlestate.WriteImage(f); err != nil {
		return err
	}
	return f.Sync()
}

// Copy copies a generation.
func (d stateDisk) Copy(from, to string) error {
	do := func() error { return plat.Clone(d.keeper.dir, from, d.keeper.dir, to) }
	if !d.keeper.images {
		return do()
	}
	return plat.WhileQuiet(d.keeper.viewOf(path.Dir(from)), do)
}
