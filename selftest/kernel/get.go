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

// Get installs the emulator on this host and fetches the kernel for one kind of guest into the cache folder. It reports
// its progress on show. A cached kernel is kept; with refresh, it is replaced by the newest kernel of the suite.
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

// install installs the missing packages on this host.
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

// fetch fetches the kernel package and keeps the parts that a guest needs.
func (t tools) fetch(ctx context.Context, cache string, a arch, newest bool) error {
	cache, err := filepath.Abs(cache)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(cache, "fetch-") // in the same folder as the destination, so that it can be renamed
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

// get fetches the pinned kernel package. If newest is set, or if the mirror no longer has the pinned one, it fetches
// the newest.
func (a *apt) get(ctx context.Context, newest bool) (string, error) {
	if !newest {
		a.say("fetching %s", path.Base(a.arch.pin.path))
		file, err := a.downloadPinned(ctx, a.arch.pin)
		if err == nil || ctx.Err() != nil {
			return file, err
		}
		a.say("cannot fetch pinned package: %v", err)
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

// unpack extracts the kernel and the modules of a package file into a folder in dir, and returns that folder.
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

// one returns the only file that matches a pattern.
func one(pattern string) (string, error) {
	found, err := filepath.Glob(pattern)
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%d files match %s", len(found), filepath.Base(pattern))
	}
	if err != nil {
		return "", err
	}
	return found[0], nil
}
