package probe

import (
	"fmt"
	"io"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"nexus/daemons/plat"
)

// Parts of a payload that takes more memory than a whole bundle may have.
const (
	partShared = "hoard-shared" // shared memory that only one process has mapped, which is not private memory
	partMany   = "hoard-many"   // starts copies of itself, each of which stays below the limit of a process
	partOne    = "hoard-one"    // one of these copies
)

// How much memory is taken: more than a bundle may have, by one process or by several that each stay below it.
const (
	hoard  = 768 << 20
	copies = 6
)

// hoarding takes memory and reports when it has it.
func hoarding(part string, out io.Writer) (err error) {
	switch part {
	case partShared:
		err = take(hoard, unix.MAP_SHARED)
	case partOne:
		err = take(hoard/copies, unix.MAP_PRIVATE)
	case partMany:
		err = takeByCopies()
	}
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintln(out, part); err != nil || part != partOne {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin) // keeps it until the starter ends
	return err
}

// take writes to each page, so that the kernel must provide it.
func take(size, kind int) error {
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, kind|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	for at := 0; at < size; at += os.Getpagesize() {
		memory[at] = 1
	}
	return nil
}

func takeByCopies() error {
	for range copies {
		cmd := exec.Command("/proc/self/exe")
		cmd.Args = []string{kindPayload, partOne}
		if _, err := cmd.StdinPipe(); err != nil {
			return err
		}
		said, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		if _, err := fmt.Fscanln(said, new(string)); err != nil {
			return err
		}
	}
	return nil
}

// hoards has payloads take too much memory. In a control group, the kernel kills each of them; without one, as a
// control, each gets the memory.
func hoards(spawner plat.Spawner, groups *plat.Groups, payload *os.File, c plat.Confinement) ([]outcome, error) {
	var all []outcome
	for _, part := range []string{partShared, partMany} {
		for _, bound := range []bool{true, false} {
			o := outcome{Name: "hold 768 MiB: " + part, Want: int(unix.ENOMEM)}
			var group *plat.Group
			if bound {
				var err error
				if group, err = groups.Make(part); err != nil {
					return nil, err
				}
			} else {
				o.Name, o.Want = o.Name+", without bound", 0
			}
			process, err := spawner.Spawn(plat.Command{
				Path: plat.ByDescriptor(payload), File: payload, Argv: []string{kindPayload, part}, Dir: "/",
				DieWithParent: true, Confinement: &c, Group: group,
			})
			if err != nil {
				return nil, err
			}
			<-process.Gone()
			if exit := process.Exit(); !exit.OK() {
				o.Errno = int(unix.ENOMEM)
				if group.Exceeded() != bound {
					return nil, fmt.Errorf("%s ended: %v", o.Name, exit)
				}
			}
			group.Remove()
			all = append(all, o)
		}
	}
	return all, nil
}
