package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"nexus/daemons/initd/machine"
	"nexus/selftest/console"
	"nexus/selftest/image"
	"nexus/selftest/kernel"
	"nexus/selftest/qemu"
)

// guestMemory is the guest's memory in MiB. It has room for the guest's image, the set's pages and the unpacked files.
const guestMemory = 1024

// guestDisk is the size of the guest's disk, in bytes.
const guestDisk = 1 << 30

// lineDone is printed by the guest when it has measured everything.
const lineDone = "bench: done"

// inGuest measures in a QEMU guest, with this program as its first process (see inside).
func inGuest(ctx context.Context, args []string, w io.Writer) error {
	flags := flag.NewFlagSet("bench guest", flag.ContinueOnError)
	rounds := flags.Int("rounds", 5, "how often each row is run")
	bin := flags.String("bin", "bin", "where our packer for this host is")
	dir := flags.String("dir", "out/bench", "where inputs are kept and outputs made")
	cache := flags.String("cache", ".cache/guest", "where kernels are")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("which guest: riscv64 or amd64?")
	}
	place, err := newPlace(*bin, *dir)
	if err != nil {
		return err
	}
	m, err := guest(ctx, place, *cache, flags.Arg(0), w)
	if err != nil {
		return err
	}
	m.Args = []string{"--rounds", strconv.Itoa(*rounds)}
	err = runGuest(ctx, m, w)
	_, freshErr := place.fresh("work")
	return errors.Join(err, freshErr)
}

// guest builds the machine: its image contains a set, our programs and busybox.
func guest(ctx context.Context, p Place, cache, arch string, w io.Writer) (qemu.Machine, error) {
	found, err := kernel.Find(cache, arch)
	if err != nil {
		return qemu.Machine{}, err
	}
	busybox, err := kernel.Busybox(ctx, cache, arch, w)
	if err != nil {
		return qemu.Machine{}, err
	}
	if p.Input, err = small().make(p); err != nil {
		return qemu.Machine{}, err
	}
	if p.Work, err = p.fresh("work"); err != nil {
		return qemu.Machine{}, err
	}
	if _, err := run(ctx, p, ready); err != nil {
		return qemu.Machine{}, err
	}
	in := func(name string) string { return filepath.Join(p.Work, name) }
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", p.Work+"/",
		"nexus/daemons/nexus", "nexus/nx", "nexus/selftest/bench")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		return qemu.Machine{}, fmt.Errorf("cannot build for guest %s: %w: %s", arch, err, out)
	}
	m := qemu.Machine{
		Arch: arch, Kernel: found, Memory: guestMemory, Image: in("initramfs"), Disk: qemu.Disk{File: in("disk")},
	}
	if err := qemu.MakeDisk(m.Disk.File, guestDisk); err != nil {
		return m, err
	}
	_, err = image.WriteFile(m.Image, image.Spec{
		Arch: arch, Binary: in("nexus"), Init: in("bench"), Tools: []string{in("nx"), busybox},
		Trust: []string{p.Key + ".pub"}, Sets: []string{in("set.nxs")}, Modules: found.Modules,
		DiskFS: found.DiskFS,
	})
	return m, err
}

// runGuest runs the machine until it ends and shows its output.
func runGuest(ctx context.Context, m qemu.Machine, w io.Writer) error {
	g, err := qemu.Start(m, "")
	if err != nil {
		return err
	}
	defer g.Wait()
	defer g.Kill()
	stop := context.AfterFunc(ctx, g.Kill)
	defer stop()
	var early []string // shown only if nothing else is printed
	shown, done := false, false
	console.Each(g.Console(), func(line string) bool {
		switch {
		case line == lineDone:
			done = true
		case strings.HasPrefix(line, machine.LineFirst):
			shown = true
		case shown:
			fmt.Fprintln(w, line)
		default:
			early = append(early, line)
		}
		return !done
	})
	if done {
		return nil
	}
	if !shown {
		fmt.Fprintln(w, strings.Join(early, "\n"))
	}
	return errors.Join(errors.New("the guest ended before it had measured everything"), ctx.Err())
}
