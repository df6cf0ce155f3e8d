package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"nexus/daemons/plat"
)

// Parts of a payload that takes more memory than all of a bundle may have.
const (
	partShared = "hoard-shared" // memory that it shares with nobody yet, which is no private memory
	partMany   = "hoard-many"   // by copies of itself, each of which has less than a process may
	partOne    = "hoard-one"    // one of these
)

// How much is taken: over the bound of a bundle, and of several processes that are each under it.
const (
	hoard  = 768 << 20
	copies = 6
)

// hoarding takes memory and says when it has it.
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
	_, err = io.Copy(io.Discard, os.Stdin) // it has it until its starter ends
	return err
}

// take has the kernel give every page.
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

// hoards has payloads take too much: in a group each is ended by the kernel; outside of one, for control, each gets it.
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
