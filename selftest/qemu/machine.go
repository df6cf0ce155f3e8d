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
	DefaultMemory = 384 // MiB
	processors    = 2
)

// DebugAddress is where QEMU serves a debugger: GDB's remote protocol.
const DebugAddress = "127.0.0.1:1234"

// minMemory is the least memory, in MiB, with which a kernel gets far enough to report that its memory is too small.
const minMemory = 128

// A Machine describes a guest and how to run it.
type Machine struct {
	Arch    string        // as Go calls it
	Kernel  kernel.Cached // the kernel to start
	Image   string        // its initramfs
	Memory  int           // MiB
	Args    []string      // for the first process, in addition to those in the image
	Console string        // extra kernel parameters, such as the console; empty: the first serial line
	KVM     bool          // use the host's processor; by default the processor is emulated
	Disk    Disk          // its state disk; without one, its state is in its memory
	Forward []Forward     // what of this host leads to it
	Cable   *Cable        // leads to another machine, in place of QEMU's network; nil: there is none
	Capture string        // file for what goes over its network, in the format of pcap; empty: none
	Ports   []string      // names of extra virtio-serial ports: see Guest.Port
	Reboots bool          // whether the machine restarts when the guest reboots; otherwise it ends
	Wake    time.Duration // how long the kernel may take before the machine is reset; 0: DefaultWake
	Debug   bool          // wait at DebugAddress for a debugger before the first instruction, and reset nothing
}

// A Forward leads from a TCP port of this host's loopback to one of the guest.
type Forward struct{ Host, Guest uint16 }

// UnmarshalText takes HOST:GUEST.
func (f *Forward) UnmarshalText(text []byte) error {
	host, guest, _ := strings.Cut(string(text), ":")
	for _, port := range []struct {
		text string
		into *uint16
	}{{host, &f.Host}, {guest, &f.Guest}} {
		number, err := strconv.ParseUint(port.text, 10, 16)
		if err != nil || number == 0 {
			return fmt.Errorf("%q is not two ports, such as 8080:80", text)
		}
		*port.into = uint16(number)
	}
	return nil
}

// A Cable joins two machines, each of which may end and start again. Nothing else is in their network.
type Cable struct {
	Here, There string // sockets of this machine and of the other, which QEMU makes
	Number      byte   // of this machine: its address is CableAddress(Number)
}

// CableAddress is the address of a machine at a cable.
func CableAddress(number byte) string { return fmt.Sprintf("10.0.2.%d", number) }

// network returns the options for the network: a cable, or one of the guest's own, which QEMU leads outside.
func (m Machine) network() []string {
	net, device := "user,id="+netdev, "virtio-net-pci,romfile=,netdev="+netdev
	for _, f := range m.Forward {
		net += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:%d-:%d", f.Host, f.Guest)
	}
	if c := m.Cable; c != nil {
		net = fmt.Sprintf("dgram,id=%s,local.type=unix,local.path=%s,remote.type=unix,remote.path=%s", netdev,
			value(c.Here), value(c.There))
		device += fmt.Sprintf(",mac=52:54:00:00:00:%02x", c.Number)
	}
	args := []string{"-netdev", net, "-device", device}
	if m.Capture != "" {
		args = append(args, "-object", fmt.Sprintf("filter-dump,id=capture,netdev=%s,maxlen=%d,file=%s", netdev,
			captured, value(m.Capture)))
	}
	return args
}

// netdev is QEMU's name for the network.
const netdev = "net"

// captured is how much of each packet is kept: its headers.
const captured = 128

// networkLine returns the kernel's parameter for it. Without a cable the addresses are QEMU's.
func (m Machine) networkLine() string {
	if m.Cable != nil {
		return "ip=" + CableAddress(m.Cable.Number) + ":::255.255.255.0"
	}
	return "ip=10.0.2.15::10.0.2.2:255.255.255.0"
}

// Descriptors that QEMU inherits.
const fdControl = 3

// portName is QEMU's name for the operators' port, which its events use.
const portName = "operator"

// check refuses machines that would fail without a message.
func (m Machine) check() error {
	if m.Memory < minMemory {
		return fmt.Errorf("%d MiB of memory are too few for a guest: it needs %d MiB, and is at ease with %d", m.Memory,
			minMemory, DefaultMemory)
	}
	return nil
}

// args returns QEMU's command line. sockets is the folder for its sockets.
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
	if m.Debug {
		args = append(args, "-S", "-gdb", "tcp:"+DebugAddress)
	}
	if !m.Reboots {
		args = append(args, "-no-reboot")
	}
	args = append(append(args, m.network()...), m.Disk.args()...)
	if m.KVM {
		return append(args, "-machine", machineType(m.Arch)+",accel=kvm", "-cpu", "host")
	}
	args = append(args, "-machine", machineType(m.Arch), "-accel", "tcg,thread="+threads(m.Arch))
	if m.Arch == "amd64" {
		args = append(args, "-cpu", amd64CPU)
	}
	return args
}

// amd64CPU is everything that the emulator supports except CMPXCHG16B: QEMU 7.2 corrupts the flags when it emulates two
// processors, and kernels that use it end in a double fault within a few boots.
const amd64CPU = "max,-cx16"

// threads returns how QEMU runs the processors. An amd64 kernel patches its own code while all processors run,
// protected by a breakpoint. With one thread per processor, QEMU may run into the breakpoint on one of them after the
// protection has ended, and the kernel dies (seen once in some hundred boots).
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

// value escapes a text as the value of a QEMU option.
func value(text string) string { return strings.ReplaceAll(text, ",", ",,") }

func portSocket(folder string) string { return filepath.Join(folder, "port") }

// kernelLine returns the kernel's command line. Everything after `--` is for the first process.
func (m Machine) kernelLine() string {
	console := m.Console
	if console == "" {
		console = "console=ttyS0"
	}
	return strings.Join(append([]string{console, m.hole(), m.networkLine(), "quiet", "panic=1", "--", "--mark",
		fmt.Sprintf("%#x", m.markAt())}, m.Args...), " ")
}

// The part of the machine's memory that is reserved for the mark. It is at an address that kernel, image and firmware
// do not use during a start, and a reset does not clear it.
//
// On riscv64 QEMU puts the device tree into the last 2 MiB, so the kernel gets all memory except the last 3 MiB, and
// the mark is in the MiB in between. On amd64 the mark is after the place to which the kernel unpacks itself, and
// before that of its image.
const (
	riscvMemory = 0x8000_0000 // start of the machine's memory
	markHole    = 64 << 10
)

// markAt returns the physical address of the mark.
func (m Machine) markAt() uint64 {
	size := uint64(m.Memory) << 20
	if m.Arch == "riscv64" {
		return riscvMemory + size - 3<<20 + 512<<10
	}
	return size / 4 * 3
}

// hole returns the kernel parameter that reserves the memory of the mark.
func (m Machine) hole() string {
	if m.Arch == "riscv64" {
		return fmt.Sprintf("mem=%dM", m.Memory-3)
	}
	// After a reset, the emulated timer may fail the kernel's check.
	return fmt.Sprintf("memmap=%d$%#x no_timer_check", markHole, m.markAt())
}
