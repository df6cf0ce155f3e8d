package kernel

import "fmt"

// An arch describes one kind of guest.
type arch struct {
	name     string   // of the guest
	debian   string   // the architecture, as Go and Debian call it
	image    string   // Debian's package that depends on the current kernel
	emulator string   // QEMU's program for it
	packages []string // packages that the host needs to run it and to inspect its disk
	watchdog []string // the modules for its machine's watchdogs; empty: the kernel has none
	pin      pin      // the kernel package to use unless a newer one is requested
	busybox  pin      // the busybox package
}

// suite is the Debian release that kernels come from.
const suite = "trixie"

// modules returns what a guest needs, whether or not it is built into its kernel: the port to the operator, a source of
// randomness, its disk and file system, and a watchdog. The machine's watchdog comes before the kernel's own, so that
// it becomes the first device. ext4 looks up its checksum by algorithm name, which no module declares as a dependency.
func (a arch) modules() []string {
	modules := []string{"virtio_pci", "virtio_console", "virtio_rng", "virtio_blk", "crc32c_generic", "ext4"}
	modules = append(modules, a.watchdog...)
	return append(modules, "softdog")
}

// PC is a guest whose kernel is that of PCs: it finds the watchdog in the chipset of QEMU's q35, which resets nothing,
// before the one that does.
const PC = "amd64-pc"

func archOf(name string) (arch, error) {
	switch name {
	case "riscv64":
		return arch{
			name: name, debian: name, image: "linux-image-riscv64", emulator: "qemu-system-riscv64",
			packages: []string{"qemu-system-misc", "opensbi", "xz-utils", "e2fsprogs"},
			pin: pin{
				path:   "pool/main/l/linux/linux-image-6.12.107+deb13-riscv64_6.12.107-1_riscv64.deb",
				sha256: "abe9f65d74b434692149482b031db7a2aaf832921e09f69f775293c0e0c5799c",
			},
			busybox: pin{
				path:   "pool/main/b/busybox/busybox-static_1.37.0-6+b9_riscv64.deb",
				sha256: "4add476d2b185c5b487c285b38d790f0881a7e4a8e2ddde835f917e770eb8633",
			},
		}, nil
	case "amd64":
		return arch{
			name: name, debian: name, image: "linux-image-cloud-amd64", emulator: "qemu-system-x86_64",
			packages: []string{"qemu-system-x86", "xz-utils", "e2fsprogs"},
			watchdog: []string{"i6300esb"},
			pin: pin{
				path:   "pool/main/l/linux-signed-amd64/linux-image-6.12.107+deb13-cloud-amd64_6.12.107-1_amd64.deb",
				sha256: "04434ff520f860423eafe4203d986a35682ce73c2f71baa39e988ca0da93ac91",
			},
			busybox: pin{
				path:   "pool/main/b/busybox/busybox-static_1.37.0-6+b9_amd64.deb",
				sha256: "598a3fd92bdafc34cd81196b2952ad36e910e47a4ecf162f8ce5e8e262598e53",
			},
		}, nil
	case PC:
		a, err := archOf("amd64")
		a.name, a.image, a.watchdog = name, "linux-image-amd64", []string{"lpc_ich", "iTCO_wdt", "i6300esb"}
		a.pin = pin{
			path:   "pool/main/l/linux-signed-amd64/linux-image-6.12.107+deb13-amd64_6.12.107-1_amd64.deb",
			sha256: "7794643cf4560de2a7e3b069e8ca8511ad2a568d652ea285f0fe051f79bc9e99",
		}
		return a, err
	default:
		return arch{}, fmt.Errorf("unknown guest %q: riscv64 or amd64", name)
	}
}
