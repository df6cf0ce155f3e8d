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
	"syscall"

	"nexus/daemons/initd/machine"
	"nexus/daemons/initd/supervise"
	"nexus/daemons/plat"
)

// Main runs a system in the foreground and returns the exit status. Console lines go to stdout, errors to stderr. It
// calls itself `nx`, because people type `nx up`.
func Main(args []string, stdout *os.File, stderr io.Writer) int {
	config, err := parseArgs(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "nx: %v\n", err)
		return 2
	}
	signal.Ignore(syscall.SIGPIPE) // the reader of the console may go away; the system continues
	ctx := plat.UntilSignal(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)

	err = up(ctx, config, filepath.Join(config.Dir, runDir), stdout, stderr)
	if errors.Is(err, ErrReboot) {
		err = config.program().BeginAnew()
	}
	if err != nil {
		fmt.Fprintf(stderr, "nx: cannot run the system in %s: %v\n", config.Dir, err)
		if errors.Is(err, errAlreadyRunning) {
			fmt.Fprintf(stderr, "hint: `nx --dir %s status` shows it, `nx --dir %s shutdown` stops it\n", config.Dir,
				config.Dir)
		}
		return 1
	}
	return 0
}

// up runs a system of real processes on this machine, and executes the next core if there is one. Links to the one
// binary are in bin, or are put there.
func up(ctx context.Context, config Config, bin string, console *os.File, stderr io.Writer) error {
	spawner, err := plat.NewReaper()
	if err != nil {
		return err
	}
	groups := &plat.Delegation{}
	config.reach = new(reach)
	p := &supervise.Processes{Bin: bin, Spawner: spawner, Confine: confiner(config.dirs(), groups, config.reach)}
	if err := find(p, &config.Handed, config.Dir); err != nil {
		return err
	}
	plat.ShareFiles()
	config.lookForHindrances(spawner)
	config.turnOf = plat.TurnOf
	host := plat.Host{Clock: plat.RealClock{}, Spawner: spawner, Groups: groups}
	next, err := Boot(ctx, config, host, p, console, stderr)
	if err != nil || next == nil {
		return err
	}
	return config.program().Become(next)
}

// find returns where the one binary of all daemons is: a set's core is in memory, and its links are in the system's
// folder.
func find(p *supervise.Processes, handed *machine.Handed, dir string) (err error) {
	if core := handed.Take(machine.HandedProgram); core != nil {
		p.Bin, p.Binary, p.Memory = filepath.Join(dir, runDir), plat.ByDescriptor(core), core
		return nil
	}
	if p.Binary, err = machine.OwnBinary(); err != nil {
		return err
	}
	if !handed.Given() {
		handed.Image = p.Binary
	}
	return checkStatic(p.Binary)
}

// checkStatic checks that the one binary is static: a daemon may not open a loader or libraries, and would fail
// silently without them.
func checkStatic(binary string) error {
	file, err := os.Open(binary)
	if err != nil {
		return err
	}
	defer file.Close()
	if plat.Dynamic(file) {
		return fmt.Errorf("%s needs a loader, and confined daemons may open none: build it with CGO_ENABLED=0", binary)
	}
	return nil
}
