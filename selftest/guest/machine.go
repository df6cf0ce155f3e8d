package main

import (
	"fmt"
	"os"

	"github.com/dustin/go-humanize"

	"nexus/libupdates/statedisk"
	"nexus/selftest/kernel"
	"nexus/selftest/qemu"
)

// A machineFlags says what may differ from one machine to the next.
type machineFlags struct {
	Arch    string         `arg:"" enum:"riscv64,amd64" help:"Architecture: riscv64 or amd64."`
	Memory  int            `default:"384" help:"Memory in MiB."`
	KVM     bool           `name:"kvm" help:"Let this host's processor run the guest, by KVM; it is emulated by default."`
	Disk    string         `placeholder:"FILE" help:"The guest's state disk, made where it is missing. Without one, what the guest remembers ends with it."`
	Size    diskSize       `name:"disk-size" placeholder:"SIZE" default:"512MiB" help:"How large a new disk is, such as 512MiB."`
	Debug   bool           `help:"Wait for a debugger on 127.0.0.1:1234 before the first instruction."`
	Forward []qemu.Forward `placeholder:"HOST:GUEST" help:"Lead a TCP port of this host's loopback to one of the guest. Repeatable."`
	Param   []string       `placeholder:"WORD" sep:"none" help:"Further word for the guest's init, as on the command line of initd. Repeatable."`
}

// machine is the one that runs the architecture's image.
func (f *machineFlags) machine(g *grammar, args ...string) (qemu.Machine, error) {
	p := g.place(f.Arch)
	found, err := kernel.Find(p.cache, p.arch)
	if err != nil {
		return qemu.Machine{}, err
	}
	if _, err := os.Stat(p.image()); err != nil {
		return qemu.Machine{}, &kernel.MissingError{Guest: p.arch, What: p.image(), Cause: err, Command: "guest-image"}
	}
	if f.Disk != "" {
		if err := qemu.MakeDisk(f.Disk, int64(f.Size)); err != nil {
			return qemu.Machine{}, err
		}
	}
	if f.Debug {
		fmt.Printf("guest: waits for a debugger: gdb -ex 'target remote %s'\n", qemu.DebugAddress)
	}
	return qemu.Machine{
		Arch: p.arch, Kernel: found, Image: p.image(), Memory: f.Memory, KVM: f.KVM, Disk: qemu.Disk{File: f.Disk},
		Args: append(args, f.Param...), Debug: f.Debug, Forward: f.Forward,
	}, nil
}

// A diskSize is a number of bytes as people write it.
type diskSize int64

// UnmarshalText takes such as 512MiB, in whole sectors.
func (s *diskSize) UnmarshalText(text []byte) error {
	bytes, err := humanize.ParseBytes(string(text))
	if err != nil || bytes < statedisk.MinSize || bytes > maxDisk || bytes%512 != 0 {
		return fmt.Errorf("%q is no size of a disk: 16MiB to 1TiB, in steps of 512 bytes", text)
	}
	*s = diskSize(bytes)
	return nil
}

const maxDisk = 1 << 40
