package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"nexus/daemons/initd/machine"
	"nexus/daemons/plat"
)

// asMachine does as the first process of a machine what host does on a host, and then powers the machine off.
func asMachine(out io.Writer) error {
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
