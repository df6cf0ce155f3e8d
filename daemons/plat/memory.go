package plat

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Memory creates an anonymous memory file. It lives as long as a descriptor of it does: it survives the crash of a
// process that was handed one, but not a reboot.
func Memory(name string) (*os.File, error) {
	fd, err := newMemory(name, unix.MFD_CLOEXEC, unix.MFD_NOEXEC_SEAL)
	if err != nil {
		return nil, fmt.Errorf("cannot make memory file %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// sealedFDs is the lowest descriptor of a sealed file: above those that a child inherits by number, below the usual
// limits.
const sealedFDs = 64

// copyChunk is the size of one read and write. A larger write into memory costs more than several: see
// durable.WriteCached.
const copyChunk = 64 << 10

// SealedMemory copies exactly size bytes from r into an anonymous file and seals it.
func SealedMemory(name string, r io.Reader, size int64) (*os.File, error) {
	return SealedMemoryBy(name, size, func(f *os.File) error {
		_, err := io.CopyBuffer(struct{ io.Writer }{f}, io.LimitReader(r, size+1), make([]byte, min(size+1, copyChunk)))
		return err
	})
}

// SealedMemoryBy creates an anonymous file, has it filled with exactly size bytes, and seals it: from then on nobody,
// not even this process, can change it. What was checked on the way in is what runs.
func SealedMemoryBy(name string, size int64, fill func(*os.File) error) (*os.File, error) {
	low, err := newMemory(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING, unix.MFD_EXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot make sealed file %s: %w", name, err)
	}
	fd, err := unix.FcntlInt(uintptr(low), unix.F_DUPFD_CLOEXEC, sealedFDs)
	unix.Close(low)
	if err != nil {
		return nil, fmt.Errorf("cannot make sealed file %s: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err = fill(f); err == nil {
		err = seal(f, size)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot fill sealed file %s: %w", name, err)
	}
	return f, nil
}

// newMemory creates a memory file and states whether it will be executed, which vm.memfd_noexec requires. Kernels
// before 6.3 have neither the setting nor the flags.
func newMemory(name string, flags, purpose int) (int, error) {
	fd, err := unix.MemfdCreate(name, flags|purpose)
	if err == unix.EINVAL {
		return unix.MemfdCreate(name, flags)
	}
	return fd, err
}

func seal(f *os.File, size int64) error {
	seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() != size {
		err = fmt.Errorf("got %d bytes, want %d", info.Size(), size)
	}
	return err
}
