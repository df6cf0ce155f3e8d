package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"nexus/daemons/initd/machine"
	"nexus/daemons/plat"
)

// inside runs this program as the first process of a guest: it measures and powers the machine off. It works where a
// machine's system folder would be, on the same disk and file system.
func inside(ctx context.Context, args []string) {
	fmt.Println(machine.LineFirst)
	if err := measureInside(ctx, args); err != nil {
		fmt.Printf("bench: %v\n", err)
	} else {
		fmt.Println(lineDone)
	}
	fmt.Printf("bench: %v\n", plat.PowerOff())
}

func measureInside(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench inside", flag.ContinueOnError)
	rounds := flags.Int("rounds", 5, "how often each row is run")
	flags.String("mark", "", "where init would keep its mark")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := machine.PrepareMachine(); err != nil {
		return err
	}
	if _, err := machine.MountFolder(os.Stdout); err != nil {
		return err
	}
	if err := (plat.Mount{Type: "tmpfs", Target: "/tmp"}).Mount(); err != nil {
		return err
	}
	for _, tool := range []string{"sh", "cat", "cp", "find", "sha256sum", "sync", "tar", "xargs"} {
		if err := os.Symlink("busybox", filepath.Join(machine.GuestBin, tool)); err != nil {
			return err
		}
	}
	if err := os.Setenv("PATH", machine.GuestBin); err != nil {
		return err
	}
	keys, err := filepath.Glob(filepath.Join(machine.GuestTrust, "*.pub"))
	if err != nil || len(keys) != 1 {
		return fmt.Errorf("%d keys in the image, want one (%w)", len(keys), err)
	}
	place := Place{Bin: machine.GuestBin, Self: "/init", Key: strings.TrimSuffix(keys[0], ".pub"), root: machine.GuestDir}
	r, err := measure(ctx, place, stagingInside(small()), *rounds)
	if err != nil {
		return err
	}
	fmt.Print(r.markdown(), r.outcome())
	return nil
}
