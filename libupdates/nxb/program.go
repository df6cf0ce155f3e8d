package nxb

import (
	"debug/elf"
	"io"
	"strings"
)

// Needs are what a dynamic program needs of the machine it runs on. A static one needs nothing.
type Needs struct {
	Loader    string   // a path; empty for a static program
	Libraries []string // names, without those that they need in turn
}

// ProgramNeeds reads what an ELF program needs. What is no ELF program needs nothing; CheckELF says what it is.
func ProgramNeeds(r io.ReaderAt) Needs {
	f, err := elf.NewFile(r)
	if err != nil {
		return Needs{}
	}
	needs := Needs{}
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_INTERP && segment.Filesz < maxLoader {
			path := make([]byte, segment.Filesz)
			if _, err := io.ReadFull(segment.Open(), path); err == nil {
				needs.Loader, _, _ = strings.Cut(string(path), "\x00")
			}
		}
	}
	if needs.Loader != "" {
		needs.Libraries, _ = f.ImportedLibraries() // what cannot be read the loader will say
	}
	return needs
}

// maxLoader bounds the path of a loader, as the kernel does (PATH_MAX).
const maxLoader = 4096

// MachineOf is the machine of an architecture as Go names it, of those that the system runs on.
func MachineOf(arch string) (elf.Machine, bool) {
	switch arch {
	case "amd64":
		return elf.EM_X86_64, true
	case "arm64":
		return elf.EM_AARCH64, true
	case "riscv64":
		return elf.EM_RISCV, true
	default:
		return elf.EM_NONE, false
	}
}
