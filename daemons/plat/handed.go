package plat

import (
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// CheckHanded checks that a file which somebody else opened can be read to its end whatever they do: a regular file of
// a local file system, open for reading. Reading anything else may block: on the writer of a pipe, on a server, on a
// user-space file system.
func CheckHanded(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	if err := conn.Control(func(fd uintptr) { result = checkHanded(int(fd)) }); err != nil {
		return err
	}
	return result
}

func checkHanded(fd int) error {
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return err
	}
	if kind := kindOf(info.Mode); kind != "" {
		return errors.New("it is " + kind + ", not a regular file")
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return err
	}
	if flags&unix.O_ACCMODE == unix.O_WRONLY || flags&unix.O_PATH != 0 {
		return errors.New("it is not open for reading")
	}
	var system unix.Statfs_t
	if err := unix.Fstatfs(fd, &system); err != nil {
		return err
	}
	if !slices.Contains(localSystems(), uint32(system.Type)) {
		return errors.New("its file system is not known to be local")
	}
	return nil
}

// kindOf names the kind of a file that is not a regular one.
func kindOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return ""
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFIFO:
		return "a pipe"
	case unix.S_IFSOCK:
		return "a socket"
	default:
		return "a device"
	}
}

// localSystems are the file systems (statfs(2)) whose reads wait for nothing but a disk of this machine.
func localSystems() []uint32 {
	const exfat, bcachefs, zfs = 0x2011bab0, 0xca451a4e, 0x2fc12fc1
	return []uint32{
		unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, bcachefs, zfs,
		unix.TMPFS_MAGIC, unix.RAMFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC, unix.SQUASHFS_MAGIC, unix.EROFS_SUPER_MAGIC_V1,
		unix.MSDOS_SUPER_MAGIC, exfat, unix.ISOFS_SUPER_MAGIC,
	}
}
