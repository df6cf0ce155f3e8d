package image

import (
	"debug/elf"
	"fmt"
)

// checkBinary checks that a binary can run in a guest of that architecture, which has no program loader.
func checkBinary(path, arch string) error {
	machine, known := map[string]elf.Machine{"riscv64": elf.EM_RISCV, "amd64": elf.EM_X86_64}[arch]
	if !known {
		return fmt.Errorf("unknown architecture %q: riscv64 or amd64", arch)
	}
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", path, err)
	}
	defer f.Close()
	if f.Machine != machine {
		return fmt.Errorf("%s is for %s, not for %s", path, f.Machine, machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is not static: a guest has no program loader", path)
		}
	}
	return nil
}
