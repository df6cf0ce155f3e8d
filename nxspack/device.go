package nxspack

import (
	"debug/elf"
	"fmt"
	"io"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
)

// sdkFlag says what the devices offer to programs.
type sdkFlag struct {
	SDK string `name:"sdk" placeholder:"VERSION" default:"${sdk}" help:"SDK of the devices; a bundle that needs a later one is refused (${default})."`
}

// Validate refuses what is no version.
func (f sdkFlag) Validate() error {
	if err := nxb.CheckVersion(f.SDK); err != nil {
		return fmt.Errorf("--sdk: %w", err)
	}
	return nil
}

// deviceFlags say which devices a bundle or a set is for.
type deviceFlags struct {
	sdkFlag
	Arch string `placeholder:"ARCH" enum:",amd64,arm64,riscv64" default:"" help:"Architecture of the devices: amd64, arm64 or riscv64; a program that is none for it is refused."`
}

// machine is the architecture, or EM_NONE where it was not said.
func (f deviceFlags) machine() elf.Machine {
	machine, _ := nxb.MachineOf(f.Arch)
	return machine
}

// A device is what is known of those that a set is for.
type device struct {
	limits  nxs.Limits
	machine elf.Machine
}

// takes refuses a bundle that could not run on the device as its maker thinks.
func (d device) takes(m nxb.Manifest, payload io.ReaderAt, size int64) error {
	if err := m.CheckAbilities(); err != nil {
		return err
	}
	if d.machine == elf.EM_NONE || !runs(m) {
		return nil
	}
	return nxb.CheckELF(payload, size, d.machine)
}

// runs tells whether the bundle's payload is a program.
func runs(m nxb.Manifest) bool { return m.IsService() || m.IsMain() || m.Name == nxs.CoreName }
