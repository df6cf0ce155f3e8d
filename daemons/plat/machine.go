package plat

import (
	"debug/elf"
	"runtime"
)

// Machine is the kind of machine this process runs on, as ELF programs name it; EM_NONE for one that Nexus does not
// know.
func Machine() elf.Machine {
	switch runtime.GOARCH {
	case "amd64":
		return elf.EM_X86_64
	case "arm64":
		return elf.EM_AARCH64
	case "riscv64":
		return elf.EM_RISCV
	default:
		return elf.EM_NONE
	}
}
