package main

import (
	"os"

	"nexus/selftest/kernel"
	"nexus/selftest/qemu"
)

// A machineFlags says what may differ from one machine to the next.
type machineFlags struct {
	Arch   string   `arg:"" enum:"riscv64,amd64" help:"Architecture: riscv64 or amd64."`
	Memory int      `default:"256" help:"Memory in MiB."`
	KVM    bool     `name:"kvm" help:"Let this host's processor run the guest, by KVM; it is emulated by default."`
	Param  []string `placeholder:"WORD" sep:"none" help:"Further word for the guest's init, as on the command line of initd. Repeatable."`
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
	return qemu.Machine{
		Arch: p.arch, Kernel: found, Image: p.image(), Memory: f.Memory, KVM: f.KVM,
		Args: append(args, f.Param...),
	}, nil
}
