package kernel

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Get puts the emulator on this host and the kernel for one kind of guest into the cache folder, and says on show what
// it does. What is there stays; with refresh, the newest kernel of the suite replaces the one in the cache.
func Get(ctx context.Context, cache, guest string, refresh bool, show io.Writer) (Cached, error) {
	a, err := archOf(guest)
	if err != nil {
		return Cached{}, err
	}
	if cached, err := Find(cache, guest); err == nil && !refresh {
		return cached, nil
	}
	t := tools{show: show}
	if err := t.install(ctx, a); err != nil {
		return Cached{}, err
	}
	if err := t.fetch(ctx, cache, a, refresh); err != nil {
		return Cached{}, err
	}
	return Find(cache, guest)
}

// install installs on this host what is missing there.
func (t tools) install(ctx context.Context, a arch) error {
	var missing []string
	for _, name := range a.packages {
		status, err := t.run(ctx, "/", "dpkg-query", "-W", "-f", "${db:Status-Status}", name)
		if err != nil || status != "installed" {
			missing = append(missing, name)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if len(missing) == 0 {
		return nil
	}
	command := append([]string{"install", "-y", "--no-install-recommends"}, missing...)
	if os.Geteuid() != 0 {
		return hinted(fmt.Errorf("cannot install %s: not root", strings.Join(missing, ", ")),
			"as root: apt-get "+strings.Join(command, " "))
	}
	t.say("installing %s", strings.Join(missing, ", "))
	if _, err := t.run(ctx, "/", "apt-get", "-q", "update"); err != nil {
		return hinted(err, "is the network there? apt's own sources must be reachable")
	}
	_, err := t.run(ctx, "/", "apt-get", append([]string{"-q"}, command...)...)
	return err
}

// fetch gets the kernel package and keeps what a guest needs of it.
func (t tools) fetch(ctx context.Context, cache string, a arch, newest bool) error {
	cache, err := filepath.Abs(cache)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(cache, "fetch-") // beside its place in the end, so that it can be renamed
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	apt, err := newApt(t, dir, a)
	if err != nil {
		return err
	}
	file, err := apt.get(ctx, newest)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(file), ".deb")
	t.say("unpacking %s", name)
	work, err := t.unpack(ctx, a, dir, file)
	if err != nil {
		return fmt.Errorf("cannot unpack %s: %w", name, err)
	}
	return keep(cache, a, work, name)
}

// get fetches the pinned kernel package, or the newest one: when that is asked for, and when the mirror has the pinned
// one no more.
func (a *apt) get(ctx context.Context, newest bool) (string, error) {
	if !newest {
		a.say("fetching %s", path.Base(a.arch.pin.path))
		file, err := a.downloadPinned(ctx, a.arch.pin)
		if err == nil || ctx.Err() != nil {
			return file, err
		}
		a.say("not to be had: %v", err)
	}
	a.say("looking up %s in Debian %s", a.arch.image, suite)
	if err := a.update(ctx); err != nil {
		return "", err
	}
	name, err := a.kernelPackage(ctx)
	if err != nil {
		return "", err
	}
	a.say("fetching %s", name)
	return a.download(ctx, name)
}

// unpack puts the kernel and the modules of a package file into a folder in dir, and returns that.
func (t tools) unpack(ctx context.Context, a arch, dir, file string) (string, error) {
	all := filepath.Join(dir, "all")
	if _, err := t.run(ctx, dir, "dpkg-deb", "-x", file, all); err != nil {
		return "", err
	}
	work := filepath.Join(dir, "keep")
	if err := os.MkdirAll(filepath.Join(work, dirModules), 0o755); err != nil {
		return "", err
	}
	kernel, err := one(filepath.Join(all, "boot", "vmlinu[xz]-*"))
	if err != nil {
		return "", err
	}
	if err := os.Rename(kernel, filepath.Join(work, fileKernel)); err != nil {
		return "", err
	}
	tree, err := moduleTree(all)
	if err != nil {
		return "", err
	}
	needed, err := resolve(a.modules(), tree.dependencies(ctx, t))
	if err != nil {
		return "", err
	}
	for i, name := range needed {
		to := filepath.Join(work, dirModules, fmt.Sprintf("%03d-%s.ko", i, name))
		if err := os.WriteFile(to, tree.loaded[name], 0o644); err != nil {
			return "", err
		}
	}
	return work, os.WriteFile(filepath.Join(work, fileWanted), []byte(a.wanted()), 0o644)
}

// one is the one file that a pattern finds.
func one(pattern string) (string, error) {
	found, err := filepath.Glob(pattern)
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%d files are %s", len(found), filepath.Base(pattern))
	}
	if err != nil {
		return "", err
	}
	return found[0], nil
}
