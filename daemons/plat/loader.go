package plat

import (
	"debug/elf"
	"io"
	"os"
	"path/filepath"
)

// LoaderRules let a dynamic program start on a machine that has a loader and libraries: it may execute the loader, and
// read, not execute, what is in the places of libraries. A static program needs none of it.
func LoaderRules() []PathRule {
	var rules []PathRule
	// as the ABIs of the machines we know name it
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

// StarterRules are what a process needs to start payloads: their standard input, and all that they may open themselves.
func StarterRules() []PathRule {
	return append(LoaderRules(), PathRule{os.DevNull, Read | Write})
}

// PayloadConfinement is what a bundle's program may do by default: use the descriptors it was given, compute, and start
// threads and copies of itself. By path it may open /dev/null, which its standard input is anyway; a dynamic program
// may read the machine's libraries. Its limits are those of its starter, which it inherits.
func PayloadConfinement(user uint32, dynamic bool) Confinement {
	c := Confinement{Calls: CallsPayload, User: user, Paths: []PathRule{{os.DevNull, Read | Write}}}
	if dynamic {
		c.Paths = append(c.Paths, LoaderRules()...)
	}
	return c
}

// Dynamic tells whether an ELF program names a loader.
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
