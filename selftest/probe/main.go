package main

import (
	"fmt"
	"io"
	"os"

	"nexus/daemons/plat"
)

func main() {
	plat.Stage()
	if err := run(os.Args, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "probe: %v\n", err)
		os.Exit(1)
	}
}

// run runs the part that the command line selects.
func run(args []string, out io.Writer) error {
	switch {
	case os.Getpid() == 1:
		return asMachine(out)
	case len(args) == 2 && args[1] == partInside:
		return inside(args[0])
	case len(args) == 2 && (args[1] == partShared || args[1] == partMany || args[1] == partOne):
		return hoarding(args[1], out)
	case len(args) == 3 && args[1] == partStarter:
		return starter(args[2])
	case len(args) == 2 && args[1] == partFree:
		return host(out, (*ground).control)
	default:
		return host(out, (*ground).everything)
	}
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
