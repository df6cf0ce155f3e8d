package plat

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// sharedMask is the umask of a system whose daemons have users of their own: some write what others read.
const sharedMask = 0o022

// ShareFiles lets other users read the files that this process and its children create, if daemons get users of their
// own.
func ShareFiles() {
	if look().canSetUser() {
		syscall.Umask(sharedMask)
	}
}

// A Claim states the owner and mode of a folder and of all below it.
type Claim struct {
	User   uint32 // the daemon's, if daemons get users of their own; 0: this process's user
	Shared bool   // daemons with other users read there
}

// OwnerOf is the user who must own what is claimed.
func (c Claim) OwnerOf() uint32 {
	if c.User == 0 || !look().canSetUser() {
		return uint32(os.Geteuid())
	}
	return c.User
}

// Own gives a directory and all below it to a daemon's user, if daemons get one. A directory that is the daemon's
// already is not walked.
func Own(path string, user uint32) error { return claimOnce(path, Claim{User: user}, user) }

// Share lets daemons with users of their own read a directory and all below it, if this process owns it.
func Share(path string, user uint32) error { return claimOnce(path, Claim{Shared: true}, user) }

func claimOnce(path string, c Claim, user uint32) error {
	if user == 0 || !look().canSetUser() {
		return nil
	}
	dir, err := OpenFolder(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	var info unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &info); err != nil {
		return err
	}
	if int(info.Uid) != os.Geteuid() {
		return nil
	}
	_, err = Give(dir, c)
	return err
}

// Give applies a claim to a folder and all below it: owners, as far as this process may change them, and the modes that
// the owner needs. It returns a note for each entry that a daemon could not have used before, or cannot use now. It
// does not follow links or enter another file system, and leaves a file alone that has a hard link elsewhere: its owner
// cannot be known from here.
func Give(dir *os.File, c Claim) (notes []Note, err error) {
	g := giver{claim: c, owner: c.OwnerOf(), sharing: c.Shared && look().canSetUser(), names: map[uint64]uint64{}}
	root, err := duplicate(dir)
	if err != nil {
		return nil, err
	}
	defer unix.Close(root)
	g.visit(root, ".")
	// The folder itself comes last: if it has its owner, all below it has.
	for i := len(g.found) - 1; i >= 0; i-- {
		if err := g.give(root, g.found[i]); err != nil {
			return g.notes, err
		}
	}
	return g.notes, nil
}

// A giver walks through a folder.
type giver struct {
	claim   Claim
	owner   uint32
	sharing bool
	found   []node            // parents before children
	names   map[uint64]uint64 // hard links found, by inode number
	notes   []Note
}

// A Note is an entry whose owner or mode is, or was, wrong.
type Note struct {
	Name   string // a path from the folder
	What   string
	Mended bool
}

// A node is something below a folder.
type node struct {
	name string // a path from the folder
	info unix.Stat_t
}

// maxDepth bounds the walk. Nothing of the system is as deep.
const maxDepth = 16

// visit records an entry and, if it is a folder, all below it, after making the folder readable. What cannot be read is
// noted, not an error: it may not be needed.
func (g *giver) visit(fd int, name string) {
	n := node{name: name}
	if err := unix.Fstat(fd, &n.info); err != nil {
		g.note(n, "cannot be looked at: "+err.Error())
		return
	}
	if len(g.found) > 0 && n.info.Dev != g.found[0].info.Dev {
		return
	}
	g.found = append(g.found, n)
	g.names[n.info.Ino]++
	if n.info.Mode&unix.S_IFMT != unix.S_IFDIR {
		return
	}
	if strings.Count(name, "/") >= maxDepth {
		g.note(n, "is too deep to be looked into")
		return
	}
	g.openUp(fd, n)
	names, err := list(fd)
	if err != nil {
		g.note(n, err.Error())
		return
	}
	for _, base := range names {
		child, err := unix.Openat(fd, base, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		switch {
		case err == unix.ENOENT:
		case err != nil:
			g.note(node{name: path.Join(name, base)}, "cannot be looked at: "+err.Error())
		default:
			g.visit(child, path.Join(name, base))
			unix.Close(child)
		}
	}
}

// openUp makes a folder of this process readable to it.
func (g *giver) openUp(fd int, n node) {
	if int(n.info.Uid) == os.Geteuid() && n.info.Mode&0o700 != 0o700 {
		chmod(fd, n.info.Mode&0o777|0o700) // a failure shows when the folder is listed
	}
}

// give applies the claim to one entry.
func (g *giver) give(root int, n node) error {
	kind := n.info.Mode & unix.S_IFMT
	need := uint32(0)
	switch kind {
	case unix.S_IFDIR:
		need = 0o700
	case unix.S_IFREG:
		need = 0o400
	}
	wanted := n.info.Mode&0o777 | need
	if g.sharing {
		wanted |= need>>3&0o050 | need>>6&0o005
	}
	owned := n.info.Uid == g.owner || g.claim.User == 0 && n.info.Uid == 0 // root may own what is only read
	if owned && wanted == n.info.Mode&0o777 {
		return nil
	}
	if kind != unix.S_IFDIR && g.names[n.info.Ino] < uint64(n.info.Nlink) {
		g.note(n, "has a name elsewhere, and stays as it is")
		return nil
	}
	fd, err := reopen(root, n)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if !owned {
		if err := unix.Fchownat(fd, "", int(g.owner), int(g.owner), unix.AT_EMPTY_PATH); err != nil {
			g.note(n, fmt.Sprintf("belongs to user %d, not to %d", n.info.Uid, g.owner))
			return nil
		}
		if int(n.info.Uid) != os.Geteuid() {
			g.mended(n, fmt.Sprintf("belonged to user %d", n.info.Uid))
		}
	}
	if wanted == n.info.Mode&0o777 {
		return nil
	}
	if err := chmod(fd, wanted); err != nil {
		g.note(n, fmt.Sprintf("has mode %03o: %v", n.info.Mode&0o777, err))
	} else if n.info.Mode&need != need {
		g.mended(n, fmt.Sprintf("had mode %03o", n.info.Mode&0o777))
	}
	return nil
}

func (g *giver) note(n node, what string) { g.notes = append(g.notes, Note{Name: n.name, What: what}) }

func (g *giver) mended(n node, what string) {
	g.notes = append(g.notes, Note{Name: n.name, What: what, Mended: true})
}

// reopen opens an entry that visit found, by its path from the folder and never through a link.
func reopen(root int, n node) (int, error) {
	const flags = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	at := root
	for _, base := range strings.Split(n.name, "/") {
		next, err := unix.Openat(at, base, flags, 0)
		if at != root {
			unix.Close(at)
		}
		if err != nil {
			return -1, fmt.Errorf("cannot look at %s: %w", n.name, err)
		}
		at = next
	}
	var info unix.Stat_t
	if err := unix.Fstat(at, &info); err != nil || info.Ino != n.info.Ino || info.Dev != n.info.Dev {
		unix.Close(at)
		return -1, fmt.Errorf("cannot look at %s: it has changed", n.name)
	}
	return at, nil
}

// chmod changes the mode of an open file, even one opened with O_PATH, which fchmod(2) refuses.
func chmod(fd int, mode uint32) error { return unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), mode) }

// list returns the names in a folder, which may be opened with O_PATH, in byte order.
func list(fd int) ([]string, error) {
	dir, err := opened("it", func() (int, error) { return unix.Openat(fd, ".", folderFlags, 0) })
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

func duplicate(f *os.File) (int, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot duplicate %s: %w", f.Name(), err)
	}
	return fd, nil
}
