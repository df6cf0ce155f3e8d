package kernel

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Cached is a kernel in the cache folder, ready to be started.
type Cached struct {
	Package  string   // name and version, as Debian writes them
	Kernel   string   // the kernel's file
	Modules  []string // uncompressed modules, in load order
	Emulator string   // QEMU's program
}

// Names in an architecture's folder of the cache. The file with the package's name is written last; without it the
// folder is incomplete.
const (
	fileKernel  = "kernel"
	fileWanted  = "wanted" // the modules that were requested, one name per line
	filePackage = "package"
	dirModules  = "modules"
)

// wanted is the content of the file of that name if the cached modules are those that this source requests.
func (a arch) wanted() string { return strings.Join(a.modules(), "\n") + "\n" }

// Find returns what Get has put into the cache. It makes no network requests.
func Find(cache, guest string) (Cached, error) {
	a, err := archOf(guest)
	if err != nil {
		return Cached{}, err
	}
	dir := filepath.Join(cache, a.name)
	name, err := os.ReadFile(filepath.Join(dir, filePackage))
	if err != nil {
		return Cached{}, &MissingError{Guest: guest, What: "kernel", Cause: err, Command: "guest-deps"}
	}
	if kept, err := os.ReadFile(filepath.Join(dir, fileWanted)); string(kept) != a.wanted() {
		return Cached{}, &MissingError{Guest: guest, What: "all modules", Cause: err, Command: "guest-deps"}
	}
	emulator, err := exec.LookPath(a.emulator)
	if err != nil {
		return Cached{}, &MissingError{Guest: guest, What: a.emulator, Cause: err, Command: "guest-deps"}
	}
	modules, err := filepath.Glob(filepath.Join(dir, dirModules, "*.ko")) // sorted
	if err != nil {
		return Cached{}, err
	}
	return Cached{Package: string(name), Kernel: filepath.Join(dir, fileKernel), Modules: modules, Emulator: emulator},
		nil
}

// A MissingError reports that a guest cannot be started because something was not fetched, installed or built.
type MissingError struct {
	Guest   string
	What    string
	Cause   error
	Command string // the make target that provides it
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("cannot find %s for guest %s", e.What, e.Guest)
}
func (e *MissingError) Unwrap() error { return e.Cause }

// Hint says what to do about it.
func (e *MissingError) Hint() string {
	return fmt.Sprintf("`make %s GUEST=%s` brings it", e.Command, e.Guest)
}

// keep moves the unpacked files to their place in the cache.
func keep(cache string, a arch, work, name string) error {
	dir := filepath.Join(cache, a.name)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Rename(work, dir); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, filePackage), []byte(name), 0o644)
}

// exists reports whether there is something at path.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
