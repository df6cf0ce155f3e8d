package nxspack

import (
	"debug/elf"
	"fmt"
	"io"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/tree"
)

// sdkFlag is the SDK of the devices that a bundle or set is for.
type sdkFlag struct {
	SDK string `name:"sdk" placeholder:"VERSION" default:"${sdk}" help:"SDK of the devices; bundles that need a newer one are refused (${default})."`
}

// Validate refuses an SDK that is not a version.
func (f sdkFlag) Validate() error {
	if err := nxb.CheckVersion(f.SDK); err != nil {
		return fmt.Errorf("--sdk: %w", err)
	}
	return nil
}

// deviceFlags describe the devices that a bundle or set is for.
type deviceFlags struct {
	sdkFlag
	Arch string `placeholder:"ARCH" enum:",amd64,arm64,riscv64" default:"" help:"Architecture of the devices: amd64, arm64 or riscv64; other programs are refused."`
}

// machine returns the architecture, or EM_NONE if none was given.
func (f deviceFlags) machine() elf.Machine {
	machine, _ := nxb.MachineOf(f.Arch)
	return machine
}

// A device describes the devices that a set is for.
type device struct {
	limits  nxs.Limits
	machine elf.Machine
}

// takes refuses a bundle that could not run on the device as its author expects.
func (d device) takes(m nxb.Manifest, payload io.ReaderAt, size int64) error {
	if err := m.CheckAbilities(); err != nil {
		return err
	}
	if m.IsData() {
		return tree.Check(payload, size)
	}
	if d.machine == elf.EM_NONE || !runs(m) {
		return nil
	}
	return nxb.CheckELF(payload, size, d.machine)
}

// runs reports whether the bundle's payload is started as a program.
func runs(m nxb.Manifest) bool { return m.IsService() || m.IsMain() || m.Name == nxs.CoreName }
