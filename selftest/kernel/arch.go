package kernel

import "fmt"

// An arch is one kind of guest.
type arch struct {
	name     string   // as Go and Debian name it
	image    string   // Debian's package that depends on the current kernel
	emulator string   // QEMU's program
	packages []string // what the host needs for it
}

// suite is the Debian release kernels are taken from.
const suite = "trixie"

// modules are what a guest needs, whether it is built into its kernel or not: its way out to the operator, and a source of randomness.
func modules() []string { return []string{"virtio_pci", "virtio_console", "virtio_rng"} }

func archOf(name string) (arch, error) {
	switch name {
	case "riscv64":
		return arch{name, "linux-image-riscv64", "qemu-system-riscv64", []string{"qemu-system-misc", "opensbi", "xz-utils"}}, nil
	case "amd64":
		return arch{name, "linux-image-cloud-amd64", "qemu-system-x86_64", []string{"qemu-system-x86", "xz-utils"}}, nil
	default:
		return arch{}, fmt.Errorf("unknown guest %q: riscv64 or amd64", name)
	}
}
