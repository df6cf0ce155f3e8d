package plat

import (
	"debug/elf"
	"io"
	"os"
	"path/filepath"
)

// loaderRules let a dynamic program start, if this machine has a loader and libraries: it may execute the loader, and
// read, not execute, library folders. A static program needs none of them.
func loaderRules() []PathRule {
	var rules []PathRule
	// the names of the ABIs of amd64, arm64 and riscv64
	for _, pattern := range []string{"/lib/ld-*", "/lib64/ld-*", "/lib/*/ld-*"} {
		found, _ := filepath.Glob(pattern) // only a bad pattern is an error
		for _, path := range found {
			rules = append(rules, PathRule{path, Read | Execute})
		}
	}
	for _, path := range []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"} {
		if _, err := os.Stat(path); err == nil {
			rules = append(rules, PathRule{path, Read})
		}
	}
	return rules
}

// NetworkRules let a program find other machines by name, and the certificates that this machine trusts. They are for
// folders, because what says where names are looked up is replaced when this machine moves to another network.
func NetworkRules() []PathRule {
	var rules []PathRule
	for _, path := range []string{"/etc", "/usr/share/ca-certificates", "/run/systemd/resolve"} {
		if _, err := os.Stat(path); err == nil {
			rules = append(rules, PathRule{path, Read})
		}
	}
	return rules
}

// StarterRules are the rules of a process that starts payloads: their standard input, and all that they may open
// themselves.
func StarterRules() []PathRule {
	return append(loaderRules(), PathRule{os.DevNull, Read | Write})
}

// PayloadConfinement is the default confinement of a bundle's program. It may use the descriptors it was given,
// compute, and start threads and copies of itself. By path it may open only /dev/null, its standard input; a dynamic
// program may also read the machine's libraries. It inherits the limits of its starter.
func PayloadConfinement(user uint32, dynamic bool) Confinement {
	c := Confinement{Calls: CallsPayload, User: user, Paths: []PathRule{{os.DevNull, Read | Write}}}
	if dynamic {
		c.Paths = append(c.Paths, loaderRules()...)
	}
	return c
}

// Dynamic reports whether an ELF program names a loader.
func Dynamic(program io.ReaderAt) bool {
	f, err := elf.NewFile(program)
	if err != nil {
		return false
	}
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_INTERP {
			return true
		}
	}
	return false
}
