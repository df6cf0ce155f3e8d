package qemu

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"nexus/daemons/initd/machine"
	"nexus/selftest/kernel"
)

// Defaults of a machine.
const (
	DefaultMemory = 256 // MiB
	processors    = 2
)

// minMemory is how many MiB a machine must have for its kernel to get as far as to say that it has too few.
const minMemory = 128

// A Machine says how to run a guest.
type Machine struct {
	Arch    string        // as Go names it
	Kernel  kernel.Cached // what to start
	Image   string        // its initramfs
	Memory  int           // MiB
	Args    []string      // for the first process, beyond what the image says
	Console string        // extra kernel parameters, such as where the console is; empty: the first serial line
	KVM     bool          // let the host's processor run the guest; by default it is emulated
	Disk    Disk          // its state disk; without one, what it remembers is in its memory
	Ports   []string      // names of further virtio-serial ports: see Guest.Port
	Reboots bool          // a guest that restarts its machine gets it restarted; else that is its end
	Wake    time.Duration // how long its kernel may take before the machine is reset; 0: DefaultWake
}

// descriptors QEMU inherits.
const fdControl = 3

// portName is how QEMU's side calls the operators' port; its events name it.
const portName = "operator"

// check refuses what could only end in silence.
func (m Machine) check() error {
	if m.Memory < minMemory {
		return fmt.Errorf("%d MiB of memory are too few for a guest: it needs %d MiB, and is at ease with %d", m.Memory,
			minMemory, DefaultMemory)
	}
	return nil
}

// args is QEMU's command line. sockets is the folder for its sockets.
func (m Machine) args(sockets string) []string {
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none",
		"-m", strconv.Itoa(m.Memory) + "M", "-smp", strconv.Itoa(processors),
		"-kernel", m.Kernel.Kernel, "-initrd", m.Image, "-append", m.kernelLine(),
		"-serial", "stdio",
		"-chardev", fmt.Sprintf("socket,id=control,fd=%d", fdControl), "-mon", "chardev=control,mode=control",
		"-device", "virtio-rng-pci",
		"-device", "virtio-serial-pci",
		"-chardev", "socket,id=port,server=on,wait=off,path=" + value(portSocket(sockets)),
		"-device", "virtserialport,chardev=port,id=" + portName + ",name=" + machine.GuestPort,
	}
	for _, port := range m.Ports {
		args = append(args, "-chardev", "socket,id="+port+",server=on,wait=off,path="+value(filepath.Join(sockets,
			port)),
			"-device", "virtserialport,chardev="+port+",name="+port)
	}
	if m.Arch == "amd64" {
		args = append(args, "-device", "i6300esb", "-action", "watchdog=reset")
	}
	if !m.Reboots {
		args = append(args, "-no-reboot")
	}
	args = append(args, m.Disk.args()...)
	if m.KVM {
		return append(args, "-machine", machineType(m.Arch)+",accel=kvm", "-cpu", "host")
	}
	args = append(args, "-machine", machineType(m.Arch), "-accel", "tcg,thread="+threads(m.Arch))
	if m.Arch == "amd64" {
		args = append(args, "-cpu", amd64CPU)
	}
	return args
}

// amd64CPU is all that the emulator can do but CMPXCHG16B: QEMU 7.2 spoils the flags when two processors are emulated
// at once, and kernels that use it end in a double fault within a few boots.
const amd64CPU = "max,-cx16"

// threads is how QEMU runs the processors. An amd64 kernel patches its own code while all of them run, under cover of a
// breakpoint; with a thread each, QEMU may show one of them the breakpoint after the cover is gone, and the kernel dies
// (seen once in some hundred boots).
func threads(arch string) string {
	if arch == "amd64" {
		return "single"
	}
	return "multi"
}

func machineType(arch string) string {
	if arch == "riscv64" {
		return "virt"
	}
	return "q35"
}

// value is a text as QEMU takes it for the value of an option.
func value(text string) string { return strings.ReplaceAll(text, ",", ",,") }

func portSocket(folder string) string { return filepath.Join(folder, "port") }

// kernelLine is the kernel's command line. What stands behind `--` is for the first process.
func (m Machine) kernelLine() string {
	console := m.Console
	if console == "" {
		console = "console=ttyS0"
	}
	return strings.Join(append([]string{console, m.hole(), "quiet", "panic=1", "--", "--mark",
		fmt.Sprintf("%#x", m.markAt())}, m.Args...), " ")
}

// What is kept of the machine's memory for the mark: at a place that neither kernel, image nor firmware use at a start.
// A reset leaves it alone.
//
// On riscv64 QEMU has the tree of devices in the last 2 MiB, so the kernel is given all but the last 3, and the mark is
// in the one between. On amd64 it is behind the place where the kernel unpacks itself, and before that of its image.
const (
	riscvMemory = 0x8000_0000 // where the machine's memory begins
	markHole    = 64 << 10
)

// markAt is the physical address of the mark.
func (m Machine) markAt() uint64 {
	size := uint64(m.Memory) << 20
	if m.Arch == "riscv64" {
		return riscvMemory + size - 3<<20 + 512<<10
	}
	return size / 4 * 3
}

// hole is the kernel's parameter that keeps the mark's place from it.
func (m Machine) hole() string {
	if m.Arch == "riscv64" {
		return fmt.Sprintf("mem=%dM", m.Memory-3)
	}
	// after a reset the emulated timer may fail the kernel's check
	return fmt.Sprintf("memmap=%d$%#x no_timer_check", markHole, m.markAt())
}
