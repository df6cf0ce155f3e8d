package probe

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"nexus/daemons/initd/machine"
	"nexus/daemons/plat"
)

// TestMain runs the part of the probe that the test program was started as, if it was.
func TestMain(m *testing.M) {
	plat.Stage()
	part := partOf(os.Args)
	if part == nil {
		os.Exit(m.Run())
	}
	if err := part(os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "probe: %v\n", err)
		os.Exit(1)
	}
}

// partOf returns what the command line selects. The first argument is the kind of process. In an image the probe is
// the first process.
func partOf(args []string) func(out io.Writer) error {
	if os.Getpid() == 1 && args[0] == "/init" {
		return asMachine
	}
	if len(args) == 3 && args[1] == partStarter {
		return func(io.Writer) error { return starter(args[2]) }
	}
	if len(args) != 2 {
		return nil
	}
	return map[string]func(out io.Writer) error{
		partAll:    func(out io.Writer) error { return host(out, (*ground).everything) },
		partFree:   func(out io.Writer) error { return host(out, (*ground).control) },
		partInside: func(io.Writer) error { return inside(args[0]) },
		partShared: func(out io.Writer) error { return hoarding(partShared, out) },
		partMany:   func(out io.Writer) error { return hoarding(partMany, out) },
		partOne:    func(out io.Writer) error { return hoarding(partOne, out) },
	}[args[1]]
}

// host attacks on this host.
func host(out io.Writer, attack func(*ground) ([]attacked, error)) error {
	dir, err := os.MkdirTemp("", "nexus-probe-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	return report(dir, out, attack)
}

// report attacks from a folder and prints the outcomes, and then the line with the verdict.
func report(dir string, out io.Writer, attack func(*ground) ([]attacked, error)) error {
	g, stop, err := newGround(dir)
	if err != nil {
		return err
	}
	defer stop()
	g.groups.Make(dir)
	defer g.groups.Remove()
	all, err := attack(g)
	if err != nil {
		return err
	}
	through, attempts := 0, 0
	for _, a := range all {
		fmt.Fprintf(out, "probe: %s: %d of %d get through\n", a.kind, len(a.through()), len(a.outcomes))
		for _, m := range a.measures {
			if !m.On {
				fmt.Fprintf(out, "probe: %s: %v\n", a.kind, m)
			}
		}
		for _, o := range a.through() {
			fmt.Fprintf(out, "probe: %s: %s: error %d, want %d\n", a.kind, o.Name, o.Errno, o.Want)
		}
		through, attempts = through+len(a.through()), attempts+len(a.outcomes)
	}
	fmt.Fprintf(out, "probe: %d of %d get through\n", through, attempts)
	return nil
}

// newGround makes the targets in a folder.
func newGround(dir string) (*ground, func(), error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	plat.ShareFiles()
	p, stop, err := lay(dir)
	if err != nil {
		return nil, nil, err
	}
	return &ground{program: program, spawner: plat.NewSpawner(), prey: p, groups: &plat.Delegation{}}, stop, nil
}

// asMachine does as the first process of a machine what host does on a host, and then powers the machine off.
func asMachine(out io.Writer) error {
	fmt.Fprintln(out, machine.LineFirst)
	if err := onMachine(out); err != nil {
		fmt.Fprintf(out, "%s %v\n", machine.LineFatal, err)
	}
	fmt.Fprintln(out, machine.LineLast)
	return plat.PowerOff()
}

func onMachine(out io.Writer) error {
	for _, m := range append(machine.GuestMounts(), machine.GuestMemory()) {
		if err := m.Mount(); err != nil {
			return err
		}
	}
	if err := os.Chmod(machine.GuestDir, 0o755); err != nil { // the targets must be reachable for everybody
		return err
	}
	dir := filepath.Join(machine.GuestDir, "probe")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return report(dir, out, (*ground).everything)
}
