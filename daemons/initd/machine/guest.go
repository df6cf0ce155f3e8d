package machine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"nexus/daemons/plat"
)

// Paths in a machine of which init is the first process. The image contains all but the system's folder, which is on
// the machine's state disk, or in memory if there is none.
const (
	GuestBin      = "/bin"                   // nexus, and a link to it for each daemon
	GuestTrust    = "/etc/nexus/trust"       // public keys allowed for the role system
	GuestAppTrust = "/etc/nexus/trust/apps"  // those allowed for the role apps; may be missing
	GuestFactory  = "/etc/nexus/factory.nxs" // the set for slot a; may be missing
	GuestSets     = "/etc/nexus/sets"        // sets for the selftest; may be missing
	GuestModules  = "/lib/modules"           // kernel modules, loaded in byte order of their names; may be missing
	GuestDiskFS   = GuestModules + "/disk"   // those for the state disk's file system, loaded where there is such a disk
	GuestDir      = "/nexus"                 // the system's folder
	GuestPort     = "org.nexus.operator"     // the virtio-serial port for operators
	GuestDisk     = "nexus-state"            // the serial number of the state disk
)

// Lines that tell those who watch the console how far the machine is.
const (
	LineFirst = "init: first process"
	LineNext  = "init: next core"
	LineFatal = "init: fatal:"
	LineLast  = "init: powering off"
	LineAgain = "init: restarting"
)

// Main runs a system as the first process of a machine. It powers the machine off when run returns, or restarts it if
// run says so. next says that another core has run in this process before. It returns only in a process that is not the
// first.
func Main(next bool, console *os.File, run func() (again bool, err error)) int {
	if os.Getpid() != 1 {
		fmt.Fprintln(console, "init: cannot start: not the first process of a machine")
		fmt.Fprintln(console, "hint: start a system on a host with `nx up --dir DIR`")
		return 2
	}
	first := LineFirst
	if next {
		first = LineNext
	}
	fmt.Fprintf(console, "%s on %s\n", first, runtime.GOARCH)
	line, end := LineLast, plat.PowerOff
	switch again, err := run(); {
	case err != nil:
		fmt.Fprintf(console, "%s %v\n", LineFatal, err)
	case again:
		line, end = LineAgain, plat.Restart
	}
	fmt.Fprintln(console, line)
	err := end()
	fmt.Fprintf(console, "%s %v\n", LineFatal, err)
	return 1 // the end of the first process is a panic of the kernel; see onPanic
}

// onPanic is the time after which the kernel restarts the machine after a panic, in seconds. The end of this process is
// one.
const onPanic = "1"

// PrepareMachine prepares a machine's kernel: the mounts that every machine has, the restart after a panic, and the
// modules.
func PrepareMachine() error {
	for _, m := range GuestMounts() {
		if err := m.Mount(); err != nil {
			return err
		}
	}
	if err := os.WriteFile("/proc/sys/kernel/panic", []byte(onPanic), 0); err != nil {
		return err
	}
	return loadModules(GuestModules)
}

// GuestMounts returns the file systems of every machine, in order. Nothing in them or in the system's folder can be
// executed: the daemons are in the image, and bundles run from sealed memory.
func GuestMounts() []plat.Mount {
	return []plat.Mount{
		{Type: "proc", Target: "/proc"},
		{Type: "sysfs", Target: "/sys"},
		{Type: "devtmpfs", Target: "/dev", Devices: true},
		{Type: "cgroup2", Target: "/sys/fs/cgroup", Optional: true},
	}
}

// GuestMemory returns the file system of the system's folder in a machine without a state disk.
func GuestMemory() plat.Mount {
	return plat.Mount{Type: "tmpfs", Target: GuestDir, Options: "mode=0700"}
}

func loadModules(dir string) error {
	entries, err := os.ReadDir(dir) // in byte order
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		if err := plat.LoadModule(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}
