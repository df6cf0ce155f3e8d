package initd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"nexus/daemons/plat"
)

// Where things are in a machine of which init is the first process. The image has all but Dir, which is on the
// machine's state disk, or in memory where it has none.
const (
	GuestBin     = "/bin"                   // nexus, and a link to it for each daemon
	GuestTrust   = "/etc/nexus/trust"       // public keys allowed for the role system
	GuestFactory = "/etc/nexus/factory.nxs" // the set for slot a; may be missing
	GuestSets    = "/etc/nexus/sets"        // sets for the selftest; may be missing
	GuestModules = "/lib/modules"           // kernel modules, loaded in byte order of their names; may be missing
	GuestDir     = "/nexus"                 // the system's folder
	GuestPort    = "org.nexus.operator"     // the virtio-serial port that operators come in by
	GuestDisk    = "nexus-state"            // the serial number of the disk that state is kept on
)

// Lines by which whoever watches the console knows where the machine is.
const (
	LineFirst = "init: first process"
	LineNext  = "init: next core"
	LineFatal = "init: fatal:"
	LineLast  = "init: powering off"
	LineAgain = "init: restarting"
)

// Init is Main for the first process of a machine: it makes the machine ready, runs the system, and powers the machine
// off when the system has stopped or cannot go on, or restarts it where that was ordered. It returns only to a process
// that is not the first.
func Init(args []string, console *os.File) int {
	if os.Getpid() != 1 {
		fmt.Fprintln(console, "init: cannot start: not the first process of a machine")
		fmt.Fprintln(console, "hint: start a system on a host with `nx up --dir DIR`")
		return 2
	}
	first := LineFirst
	if _, handed := ownArgs(args); handed != "" {
		first = LineNext
	}
	fmt.Fprintf(console, "%s on %s\n", first, runtime.GOARCH)
	line, end := LineLast, plat.PowerOff
	switch err := runMachine(args, console); {
	case errors.Is(err, ErrReboot):
		line, end = LineAgain, plat.Restart
	case err != nil:
		fmt.Fprintf(console, "%s %v\n", LineFatal, err)
	}
	fmt.Fprintln(console, line)
	err := end()
	fmt.Fprintf(console, "%s %v\n", LineFatal, err)
	return 1 // the kernel takes the end of the first process for a panic, and onPanic says what follows
}

// onPanic is in how many seconds the kernel restarts the machine after a panic: its own, or one of this process.
const onPanic = "1"

// runMachine makes the machine ready, unless the core before has, and runs the system until it stops.
func runMachine(args []string, console *os.File) (err error) {
	_, handed := ownArgs(args)
	if handed == "" {
		if err := PrepareMachine(); err != nil {
			return err
		}
	}
	config, err := guestConfig(args, console)
	if err != nil {
		return err
	}
	config.machine, config.Cause = openMachine(&config, console)
	defer func() {
		if endErr := config.machine.end(errors.Is(err, ErrReboot)); endErr != nil {
			fmt.Fprintf(console, "init: %v\n", endErr)
		}
	}()
	persistent := false
	if handed == "" {
		if persistent, err = MountFolder(console); err != nil {
			return err
		}
		if err := config.machine.pet(); err != nil {
			return err
		}
	}
	defer leaveFolder(console)
	if persistent && config.State == "" {
		config.State = filepath.Join(GuestDir, stateDir)
	}
	if err := plat.TakeCtrlAltDel(); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGQUIT)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return up(ctx, config, GuestBin, console, console)
}

// PrepareMachine makes the kernel of a machine ready for its first process: what is mounted in every one, what follows
// a panic, and the modules.
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

// GuestMounts are the file systems of every machine, in order. Nothing in them can be executed, nor in the system's
// folder: the daemons are in the image, and bundles run from sealed memory.
func GuestMounts() []plat.Mount {
	return []plat.Mount{
		{Type: "proc", Target: "/proc"},
		{Type: "sysfs", Target: "/sys"},
		{Type: "devtmpfs", Target: "/dev", Devices: true},
		{Type: "cgroup2", Target: "/sys/fs/cgroup", Optional: true},
	}
}

// GuestMemory is what the system's folder is on in a machine without a state disk.
func GuestMemory() plat.Mount {
	return plat.Mount{Type: "tmpfs", Target: GuestDir, Options: "mode=0700"}
}

func loadModules(dir string) error {
	entries, err := os.ReadDir(dir) // in byte order
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if err := plat.LoadModule(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// guestConfig is how the system of this image is to run: the image says what it trusts and starts from, the kernel's
// command line, behind `--`, what may differ from boot to boot.
func guestConfig(args []string, stderr io.Writer) (Config, error) {
	own, _ := ownArgs(args)
	c, err := parseArgs(append([]string{"--dir", GuestDir}, args...), stderr)
	if errors.Is(err, flag.ErrHelp) {
		return Config{}, errors.New("cannot start: the kernel's command line asks for help")
	}
	if err != nil {
		return Config{}, err
	}
	keys, err := filepath.Glob(filepath.Join(GuestTrust, "*.pub"))
	if err != nil {
		return Config{}, err
	}
	c.name, c.args = "init", own
	c.Trust = append(keys, c.Trust...)
	c.Port = GuestPort
	if _, err := os.Stat(GuestFactory); err == nil && c.Factory == "" {
		c.Factory = GuestFactory
	}
	return c, nil
}
