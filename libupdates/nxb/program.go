package nxb

import (
	"debug/elf"
	"io"
	"strings"
)

// Needs lists what a dynamically linked program needs on the machine. A static one needs nothing.
type Needs struct {
	Loader    string   // a path; empty for a static program
	Libraries []string // names; only those that the program itself names
}

// ProgramNeeds returns what an ELF program needs. Anything else needs nothing; CheckELF refuses it.
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
		needs.Libraries, _ = f.ImportedLibraries() // an unreadable list is left to the loader to report
	}
	return needs
}

// maxLoader bounds the path of a loader in bytes, as the kernel does (PATH_MAX).
const maxLoader = 4096

// MachineOf returns the ELF machine for a Go architecture name, if the system supports it.
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
