package plat

import (
	"fmt"
	"strings"
)

// A Confinement is what is left to a process of what its user may do: everything that is not named here is refused by
// the kernel. It is put on before the first instruction of the program runs, and what the program starts inherits it.
type Confinement struct {
	Paths []PathRule // what may be opened by path; descriptors that were handed over need none
	// the program is a file on a disk (OnDisk), which the process may read and execute besides
	Program bool
	Calls   CallSet // the system calls
	// TCP ports that it may connect to, of every host; none: it is in a network of its own, where initd is root
	Connect []PortRange
	// the capabilities of the kernel's (capabilities(7)) that stay, where initd is root; none for all but execd
	Powers []Power
	User   uint32  // user and group of its own, where initd is root; 0: those of the starter
	Memory uint64  // private writable memory, in bytes (getrlimit(2), RLIMIT_DATA); 0: the limits of the starter
	Files  uint64  // open descriptors (RLIMIT_NOFILE), where Memory is set
	Groups Measure // for one that starts others: whether each of those has a control group of its own
	// no huge pages, whatever the machine's setting, for it and for what it starts: one is larger than a daemon's heap
	SmallPages bool
}

// A PathRule lets a file, or everything below a directory, be opened.
type PathRule struct {
	Path   string // absolute
	Access Access
}

// A PortRange is a range of ports, both ends included.
type PortRange struct{ First, Last uint16 }

func (r PortRange) String() string {
	if r.First == r.Last {
		return fmt.Sprintf("tcp/%d", r.First)
	}
	return fmt.Sprintf("tcp/%d-%d", r.First, r.Last)
}

// Access is what may be done below a path.
type Access uint8

// The kinds of access, to be combined.
const (
	Read    Access = 1 << iota // read files, list directories
	Write                      // write, make, move and remove files and directories; never device files
	Execute                    // execute files
)

// String is the access as `nx status` and the documents have it: "read", "read write".
func (a Access) String() string {
	var words []string
	for i, word := range []string{"read", "write", "exec"} {
		if a&(1<<i) != 0 {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

func (r PathRule) String() string { return r.Path + " (" + r.Access.String() + ")" }

// A Measure is one thing that confines a process, or would where the machine could.
type Measure struct {
	Name   string // one of those below
	On     bool
	Detail string // how, or why not
}

func (m Measure) String() string {
	if m.On {
		return m.Name + ": " + m.Detail
	}
	return m.Name + ": off, " + m.Detail
}

// The measures, in the order in which they are put on.
const (
	MeasureNetwork      = "network"      // an empty network namespace
	MeasureUser         = "user"         // user and group of its own
	MeasureCapabilities = "capabilities" // none of the kernel's, now or ever
	MeasurePrivileges   = "privileges"   // no program that it executes gives it more
	MeasurePaths        = "paths"        // nothing opened by path but what is named (Landlock)
	MeasureSignals      = "signals"      // signals and abstract sockets reach only what it started (Landlock)
	MeasureCalls        = "calls"        // no system calls but those of its set (seccomp)
	MeasureLimits       = "limits"       // memory and descriptors of each process
	MeasureGroup        = "group"        // memory and processes of all that a bundle runs (control groups)
)

// Measured is a Process that knows how it is confined.
type Measured interface {
	Measures() []Measure
}

// cannotConfine is the error of a measure that the machine should be able to take.
func cannotConfine(measure string, cause error) error {
	return fmt.Errorf("cannot confine: %s: %w", measure, cause)
}
