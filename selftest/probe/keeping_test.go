package probe

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"nexus/daemons/plat"
)

// kindKeeper is a payload that was granted state (state).
const kindKeeper = "keeper"

// The folders of two bundles in the one that holds all state. Everybody may write to both: only the confinement keeps
// one bundle from another.
const (
	ownState   = "own"
	otherState = "other"
)

// layState makes the folders.
func layState(bundles string) error {
	for _, name := range []string{ownState, otherState} {
		dir := filepath.Join(bundles, name)
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
		if err := os.Chmod(dir, 0o777); err != nil {
			return err
		}
		for _, file := range []string{"kept", "program"} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte("\x7fELF"), 0o777); err != nil {
				return err
			}
			if err := os.Chmod(filepath.Join(dir, file), 0o777); err != nil {
				return err
			}
		}
	}
	return nil
}

// The trees of two data bundles in the folder that holds all trees. Everybody may write to both here, too.
const (
	grantedTree = "granted"
	otherTree   = "other"
)

// layTrees makes them.
func layTrees(trees string) error {
	for _, name := range []string{grantedTree, otherTree} {
		if err := os.MkdirAll(filepath.Join(trees, name), 0o777); err != nil {
			return err
		}
		err := errors.Join(os.Chmod(filepath.Join(trees, name), 0o777),
			os.WriteFile(filepath.Join(trees, name, "page"), []byte("\x7fELF"), 0o777),
			os.Chmod(filepath.Join(trees, name, "page"), 0o777))
		if err != nil {
			return err
		}
	}
	return os.Symlink("../"+otherTree+"/page", filepath.Join(trees, grantedTree, "link"))
}

// treeRule is the rule by which a payload has a tree.
func treeRule(trees string) plat.PathRule {
	return plat.PathRule{Path: filepath.Join(trees, grantedTree), Access: plat.Read}
}

// reading returns what a keeper, which was granted a tree as well, does with it, and what it may not do from there.
func reading() []attempt {
	var all []attempt
	add := func(want unix.Errno, name string, try func(granted, other string) error) {
		all = append(all, attempt{name: "tree: " + name, want: want, only: []string{kindKeeper},
			try: func(p *prey) error {
				trees := p.Granted["trees"]
				return try(filepath.Join(trees, grantedTree), filepath.Join(trees, otherTree))
			}})
	}
	open := func(path string, flags int) error { return closing(unix.Open(path, flags|unix.O_CLOEXEC, 0o600)) }
	add(0, "read", func(granted, _ string) error { return open(granted+"/page", unix.O_RDONLY) })
	add(0, "list", func(granted, _ string) error { return open(granted, unix.O_RDONLY|unix.O_DIRECTORY) })
	add(unix.EACCES, "write", func(granted, _ string) error { return open(granted+"/page", unix.O_WRONLY) })
	add(unix.EACCES, "add a page", func(granted, _ string) error {
		return open(granted+"/new", unix.O_WRONLY|unix.O_CREAT)
	})
	add(unix.EACCES, "remove a page", func(granted, _ string) error { return unix.Unlink(granted + "/page") })
	add(unix.EACCES, "execute", func(granted, _ string) error {
		return unix.Exec(granted+"/page", []string{"page"}, nil)
	})
	add(unix.EACCES, "read another tree", func(_, other string) error { return open(other+"/page", unix.O_RDONLY) })
	add(unix.EACCES, "follow a link to another tree", func(granted, _ string) error {
		return open(granted+"/link", unix.O_RDONLY)
	})
	add(unix.EACCES, "list all trees", func(granted, _ string) error {
		return open(filepath.Dir(granted), unix.O_RDONLY|unix.O_DIRECTORY)
	})
	return all
}

// stateRule is the rule by which a payload has its state.
func stateRule(bundles string) plat.PathRule {
	return plat.PathRule{Path: filepath.Join(bundles, ownState), Access: plat.Read | plat.Write}
}

// keeping returns what a keeper does with its state, which is granted, and what it may not do from there.
func keeping() []attempt {
	var all []attempt
	add := func(want unix.Errno, name string, try func(own, other string, p *prey) error) {
		all = append(all, attempt{name: "own state: " + name, want: want, only: []string{kindKeeper},
			try: func(p *prey) error {
				bundles := p.Granted["bundles"]
				return try(filepath.Join(bundles, ownState), filepath.Join(bundles, otherState), p)
			}})
	}
	open := func(path string, flags int) error { return closing(unix.Open(path, flags|unix.O_CLOEXEC, 0o600)) }
	add(0, "read", func(own, _ string, _ *prey) error { return open(own+"/kept", unix.O_RDONLY) })
	add(0, "create a file", func(own, _ string, _ *prey) error { return open(own+"/new", unix.O_WRONLY|unix.O_CREAT) })
	add(0, "make a folder", func(own, _ string, _ *prey) error { return os.Mkdir(own+"/folder", 0o700) })
	add(0, "move into a folder", func(own, _ string, _ *prey) error { return os.Rename(own+"/new", own+"/folder/new") })
	add(0, "remove", func(own, _ string, _ *prey) error { return os.Remove(own + "/folder/new") })
	add(0, "make a link", func(own, _ string, p *prey) error { return os.Symlink(p.Dir+"/secret", own+"/link") })
	add(unix.EACCES, "follow the link", func(own, _ string, _ *prey) error { return open(own+"/link", unix.O_RDONLY) })
	add(unix.EACCES, "list all bundles", func(own, _ string, _ *prey) error {
		return open(filepath.Dir(own), unix.O_RDONLY|unix.O_DIRECTORY)
	})
	add(unix.EACCES, "read of another bundle", func(_, other string, _ *prey) error {
		return open(other+"/kept", unix.O_RDONLY)
	})
	add(unix.EACCES, "write to another bundle", func(_, other string, _ *prey) error {
		return open(other+"/new", unix.O_WRONLY|unix.O_CREAT)
	})
	add(unix.EACCES, "go up", func(own, _ string, _ *prey) error {
		return open(own+"/../"+otherState+"/kept", unix.O_RDONLY)
	})
	add(unix.EACCES, "move to another bundle", func(own, other string, _ *prey) error {
		return os.Rename(own+"/kept", other+"/moved")
	})
	add(unix.EXDEV, "take of another bundle", func(own, other string, _ *prey) error {
		return os.Link(other+"/kept", own+"/taken")
	})
	add(unix.EACCES, "execute", func(own, _ string, _ *prey) error {
		return unix.Exec(own+"/program", []string{"program"}, nil)
	})
	add(unix.EPERM, "make a pipe", func(own, _ string, _ *prey) error { return unix.Mkfifo(own+"/pipe", 0o600) })
	add(unix.EPERM, "make a device", func(own, _ string, _ *prey) error {
		return unix.Mknod(own+"/device", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3)))
	})
	add(unix.EPERM, "change a mode", func(own, _ string, _ *prey) error { return os.Chmod(own+"/kept", 0o4777) })
	add(unix.EPERM, "mark a file", func(own, _ string, _ *prey) error {
		return unix.Setxattr(own+"/kept", "user.mark", []byte("x"), 0)
	})
	return all
}
