package plat

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// maxClone bounds how deep a tree is that is copied: each level takes a descriptor.
const maxClone = 256

// Clone copies a file, or a folder and all below it, to a free name in another folder of the same file system, durably
// but for that name. Bytes are shared where the file system can, and holes stay holes. Modes, times, owners and hard
// links come along; what is neither file, folder nor link is left out. No link is followed: others may change the tree
// meanwhile, and get no more of it copied than is below its root.
func Clone(fromDir *os.File, from string, toDir *os.File, to string) error {
	c := cloner{links: map[uint64]string{}}
	top, err := unix.Openat(int(toDir.Fd()), ".", folderFlags, 0)
	if err != nil {
		return fmt.Errorf("cannot copy %s: %w", from, err)
	}
	defer unix.Close(top)
	c.top = top
	if err := c.entry(int(fromDir.Fd()), from, top, to, to, 0); err != nil {
		return fmt.Errorf("cannot copy %s: %w", from, err)
	}
	if err := unix.Syncfs(top); err != nil { // one for all: files, folders and their entries
		return fmt.Errorf("cannot sync copy of %s: %w", from, err)
	}
	return nil
}

// A cloner copies a tree.
type cloner struct {
	top   int               // the folder of the copy
	links map[uint64]string // where files with several names are in the copy, by inode number
}

var errTooDeep = errors.New("folders are too deep")

// entry copies what has a name in a folder to a name in another one, which is `at` from the top.
func (c *cloner) entry(from int, name string, to int, as, at string, depth int) error {
	var info unix.Stat_t
	if err := unix.Fstatat(from, name, &info, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		if err == unix.ENOENT {
			return nil // it is gone meanwhile
		}
		return err
	}
	if depth > maxClone {
		return errTooDeep
	}
	var err error
	switch info.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		err = c.folder(from, name, to, as, at, depth)
	case unix.S_IFREG:
		err = c.file(from, name, to, as, at)
	case unix.S_IFLNK:
		err = cloneLink(from, name, to, as, info)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (c *cloner) folder(from int, name string, to int, as, at string, depth int) error {
	source, err := unix.Openat(from, name, folderFlags|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(source)
	if err := unix.Mkdirat(to, as, 0o700); err != nil {
		return err
	}
	target, err := unix.Openat(to, as, folderFlags|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	names, err := list(source)
	if err != nil {
		return err
	}
	for _, base := range names {
		if err := c.entry(source, base, target, base, path.Join(at, base), depth+1); err != nil {
			return err
		}
	}
	return c.attributes(source, target)
}

func (c *cloner) file(from int, name string, to int, as, at string) error {
	source, err := unix.Openat(from, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(source)
	var info unix.Stat_t
	if err := unix.Fstat(source, &info); err != nil {
		return err
	}
	if info.Nlink > 1 {
		if first, known := c.links[info.Ino]; known {
			return unix.Linkat(c.top, first, to, as, 0)
		}
		c.links[info.Ino] = at
	}
	target, err := unix.Openat(to, as, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	if err := unix.IoctlFileClone(target, source); err != nil {
		if err := copySparse(source, target, info.Size); err != nil {
			return err
		}
	}
	return c.attributes(source, target)
}

// attributes gives a copy the owner, mode and times of what it is a copy of.
func (c *cloner) attributes(source, target int) error {
	var info unix.Stat_t
	if err := unix.Fstat(source, &info); err != nil {
		return err
	}
	if err := giveTo(target, info.Uid, info.Gid); err != nil {
		return err
	}
	if err := unix.Fchmod(target, info.Mode&0o777); err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", target),
		[]unix.Timespec{info.Atim, info.Mtim}, 0)
}

// giveTo changes the owner of an open file, unless it has it.
func giveTo(fd int, user, group uint32) error {
	if int(user) == os.Geteuid() && int(group) == os.Getegid() {
		return nil
	}
	return unix.Fchown(fd, int(user), int(group))
}

func cloneLink(from int, name string, to int, as string, info unix.Stat_t) error {
	buffer := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(from, name, buffer)
	if err != nil {
		return err
	}
	if err := unix.Symlinkat(string(buffer[:n]), to, as); err != nil {
		return err
	}
	if int(info.Uid) == os.Geteuid() {
		return nil
	}
	return unix.Fchownat(to, as, int(info.Uid), int(info.Gid), unix.AT_SYMLINK_NOFOLLOW)
}

// copySparse copies the bytes of a file, and leaves its holes.
func copySparse(source, target int, size int64) error {
	for at := int64(0); at < size; {
		from, err := unix.Seek(source, at, unix.SEEK_DATA)
		if err == unix.ENXIO {
			break // nothing but a hole is left
		}
		if err != nil {
			from = at // a file system that does not know holes
		}
		end, err := unix.Seek(source, from, unix.SEEK_HOLE)
		if err != nil || end <= from {
			end = size
		}
		if err := copyRange(source, target, from, end); err != nil {
			return err
		}
		at = end
	}
	return unix.Ftruncate(target, size)
}

// copyRange copies bytes within the kernel, where it can.
func copyRange(source, target int, from, end int64) error {
	for from < end {
		in, out := from, from
		n, err := unix.CopyFileRange(source, &in, target, &out, int(min(end-from, 1<<30)), 0)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.ENOSYS || err == unix.EXDEV || err == unix.EINVAL || err == unix.EOPNOTSUPP:
			return copyBytes(source, target, from, end)
		case err != nil:
			return err
		case n == 0:
			return nil // it is shorter than it was
		}
		from += int64(n)
	}
	return nil
}

func copyBytes(source, target int, from, end int64) error {
	buffer := make([]byte, 256<<10)
	for from < end {
		n, err := unix.Pread(source, buffer[:min(int64(len(buffer)), end-from)], from)
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		for done := 0; done < n; {
			written, err := unix.Pwrite(target, buffer[done:n], from+int64(done))
			if err != nil {
				return err
			}
			if written == 0 {
				return io.ErrShortWrite
			}
			done += written
		}
		from += int64(n)
	}
	return nil
}

// Rehome gives a folder and all below it to a user, unless the folder is theirs already: it comes last. It follows no
// link, and leaves the file system of the folder alone.
func Rehome(dir *os.File, user uint32) error {
	var info unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &info); err != nil || info.Uid == user {
		return err
	}
	if err := rehome(int(dir.Fd()), user, 0); err != nil {
		return fmt.Errorf("cannot give %s to user %d: %w", dir.Name(), user, err)
	}
	return nil
}

func rehome(dir int, user uint32, depth int) error {
	if depth > maxClone {
		return errTooDeep
	}
	names, err := list(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		child, err := unix.Openat(dir, name, folderFlags|unix.O_NOFOLLOW, 0)
		if err == nil {
			err = rehome(child, user, depth+1)
			unix.Close(child)
		} else {
			err = unix.Fchownat(dir, name, int(user), int(user), unix.AT_SYMLINK_NOFOLLOW)
		}
		if err != nil {
			return err
		}
	}
	return unix.Fchownat(dir, "", int(user), int(user), unix.AT_EMPTY_PATH)
}

// SyncTree gives a tree that this process has made to a user, and makes it durable.
func SyncTree(tree *os.Root, user uint32) error {
	dir, err := tree.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	if int(user) != os.Geteuid() {
		if err := rehome(int(dir.Fd()), user, 0); err != nil {
			return err
		}
	}
	return unix.Syncfs(int(dir.Fd()))
}

// DiskUse returns how many bytes of the disk a file takes, or a folder and all below it, as far as it can be read.
func DiskUse(dir *os.File, name string) (uint64, error) {
	var info unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), name, &info, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return 0, err
	}
	return uint64(info.Blocks)*512 + below(int(dir.Fd()), name, 0), nil
}

// below returns what is used below a folder; what is gone or closed counts nothing.
func below(at int, name string, depth int) (size uint64) {
	if depth > maxClone {
		return 0
	}
	dir, err := unix.Openat(at, name, folderFlags|unix.O_NOFOLLOW, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(dir)
	names, _ := list(dir)
	for _, base := range names {
		var info unix.Stat_t
		if unix.Fstatat(dir, base, &info, unix.AT_SYMLINK_NOFOLLOW) != nil {
			continue
		}
		size += uint64(info.Blocks) * 512
		if info.Mode&unix.S_IFMT == unix.S_IFDIR {
			size += below(dir, base, depth+1)
		}
	}
	return size
}
