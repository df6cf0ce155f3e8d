// Package kernel provides what a guest needs that Nexus does not build: the emulator, and a Debian kernel with its
// modules, unpacked into a cache folder. Debian's own tools fetch and verify it (fetch.sh).
package kernel

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A pin is the package file that guests are tested with, as listed in Debian's signed lists when it was chosen. A
// digest in this source is as good as a signature on a list. It also gives everybody the same file, even while the
// lists of a mirror are inconsistent.
type pin struct {
	path   string // below the mirror
	sha256 string // in hex
}

// An arch describes one kind of guest.
type arch struct {
	debian   string // the architecture, as Go and Debian call it
	image    string // Debian's package that depends on the current kernel
	emulator string // QEMU's program for it
	packages string // packages that the host needs to run it and to inspect its disk
	watchdog string // the modules for its machine's watchdogs; empty: the kernel has none
	kernel   pin    // the package to use unless a newer one is requested
	busybox  pin
}

// PC is a guest whose kernel is that of PCs: it finds the watchdog in the chipset of QEMU's q35, which resets nothing,
// before the one that does.
const PC = "amd64-pc"

var (
	amd64Busybox = pin{"pool/main/b/busybox/busybox-static_1.37.0-6+b9_amd64.deb",
		"598a3fd92bdafc34cd81196b2952ad36e910e47a4ecf162f8ce5e8e262598e53"}
	arches = map[string]arch{
		"riscv64": {
			debian: "riscv64", image: "linux-image-riscv64", emulator: "qemu-system-riscv64",
			packages: "qemu-system-misc opensbi xz-utils e2fsprogs kmod",
			kernel: pin{"pool/main/l/linux/linux-image-6.12.107+deb13-riscv64_6.12.107-1_riscv64.deb",
				"abe9f65d74b434692149482b031db7a2aaf832921e09f69f775293c0e0c5799c"},
			busybox: pin{"pool/main/b/busybox/busybox-static_1.37.0-6+b9_riscv64.deb",
				"4add476d2b185c5b487c285b38d790f0881a7e4a8e2ddde835f917e770eb8633"},
		},
		"amd64": {
			debian: "amd64", image: "linux-image-cloud-amd64", emulator: "qemu-system-x86_64",
			packages: "qemu-system-x86 xz-utils e2fsprogs kmod", watchdog: "i6300esb", busybox: amd64Busybox,
			kernel: pin{"pool/main/l/linux-signed-amd64/linux-image-6.12.107+deb13-cloud-amd64_6.12.107-1_amd64.deb",
				"04434ff520f860423eafe4203d986a35682ce73c2f71baa39e988ca0da93ac91"},
		},
		PC: {
			debian: "amd64", image: "linux-image-amd64", emulator: "qemu-system-x86_64",
			packages: "qemu-system-x86 xz-utils e2fsprogs kmod", watchdog: "lpc_ich iTCO_wdt i6300esb",
			kernel: pin{"pool/main/l/linux-signed-amd64/linux-image-6.12.107+deb13-amd64_6.12.107-1_amd64.deb",
				"7794643cf4560de2a7e3b069e8ca8511ad2a568d652ea285f0fe051f79bc9e99"},
		},
	}
)

func archOf(guest string) (arch, error) {
	a, known := arches[guest]
	if !known {
		return a, fmt.Errorf("unknown guest %q: riscv64 or amd64", guest)
	}
	return a, nil
}

// modules returns what every guest needs, whether or not it is built into its kernel: the port to the operator, a
// source of randomness, its network, its disk, loop devices for the state of bundles, and a watchdog. The machine's
// watchdog comes before the kernel's own, so that it becomes the first device.
func (a arch) modules() []string {
	return strings.Fields("virtio_pci virtio_console virtio_rng virtio_net virtio_blk loop " + a.watchdog + " softdog")
}

// diskModules are for the file system of a state disk: ext4 is most of what a guest loads. It looks up its checksum,
// and fs-verity its digest, by algorithm name, which no module declares as a dependency.
const diskModules = "crc32c_generic sha256_generic ext4"

// wanted is the list by which a cache is known to be for this source.
func (a arch) wanted() string { return strings.Join(a.modules(), "\n") + "\n" + diskModules + "\n" }

// A Cached is a kernel in the cache folder, ready to be started.
type Cached struct {
	Package  string   // name and version, as Debian writes them
	Kernel   string   // the kernel's file
	Modules  []string // uncompressed modules, in load order
	DiskFS   []string // those for the state disk's file system, likewise; they come after Modules
	Emulator string   // QEMU's program
}

// Names in an architecture's folder of the cache, which appears as a whole.
const (
	fileKernel  = "kernel"
	fileWanted  = "wanted" // the modules that were requested
	filePackage = "package"
	dirModules  = "modules"
	dirDiskFS   = "modules/disk"
)

// Find returns what Get has put into the cache. It makes no network requests.
func Find(cache, guest string) (Cached, error) {
	a, err := archOf(guest)
	if err != nil {
		return Cached{}, err
	}
	dir := filepath.Join(cache, guest)
	name, err := os.ReadFile(filepath.Join(dir, filePackage))
	if err != nil {
		return Cached{}, &MissingError{Guest: guest, What: "kernel", Cause: err, Command: "guest-deps"}
	}
	// the cache may be that of a source that asks for other modules
	if kept, err := os.ReadFile(filepath.Join(dir, fileWanted)); string(kept) != a.wanted() {
		return Cached{}, &MissingError{Guest: guest, What: "all modules", Cause: err, Command: "guest-deps"}
	}
	emulator, err := exec.LookPath(a.emulator)
	if err != nil {
		return Cached{}, &MissingError{Guest: guest, What: a.emulator, Cause: err, Command: "guest-deps"}
	}
	c := Cached{Package: string(name), Kernel: filepath.Join(dir, fileKernel), Emulator: emulator}
	if c.Modules, err = filepath.Glob(filepath.Join(dir, dirModules, "*.ko")); err == nil { // sorted
		c.DiskFS, err = filepath.Glob(filepath.Join(dir, dirDiskFS, "*.ko"))
	}
	return c, err
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

// exists reports whether there is something at path.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
