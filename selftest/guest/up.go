package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"nexus/daemons/plat"
	"nexus/selftest/qemu"
)

// upVerb keeps a guest running.
type upVerb struct {
	machineFlags
	Dir string `required:"" placeholder:"DIR" help:"Folder for the control socket: what nx takes as --dir."`
}

// shutdownPatience is how long the system in the guest may take to stop before its machine is ended.
const shutdownPatience = 10 * time.Second

// Run shows the console until the guest powers its machine off, by itself or because this process was told to end.
func (v *upVerb) Run(ctx context.Context, g *grammar) error {
	m, err := v.machine(g)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(v.Dir, 0o755); err != nil {
		return fmt.Errorf("cannot use %s: %w", v.Dir, err)
	}
	lock, err := takeLock(v.Dir)
	if err != nil {
		return fmt.Errorf("cannot use %s: %w", v.Dir, err)
	}
	defer lock.Close()
	guest, err := qemu.Start(m, v.Dir)
	if err != nil {
		return err
	}
	fmt.Printf("guest: %s under QEMU; `nx --dir %s status` reaches it, `nx --dir %s shutdown` or Ctrl-C stops it\n", v.Arch, v.Dir, v.Dir)
	stop := context.AfterFunc(ctx, func() { shutdown(guest) })
	defer stop()
	io.Copy(os.Stdout, guest.Console())
	if err := guest.Wait(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("the guest ended badly: %w", err)
	}
	return nil
}

// shutdown stops the system in the guest in good order, or ends the machine.
func shutdown(guest *qemu.Guest) {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownPatience)
	defer cancel()
	if guest.Shutdown(ctx) == nil {
		select {
		case <-guest.Done():
			return
		case <-ctx.Done():
		}
	}
	guest.Stop()
}

// takeLock keeps other systems, on this host or in a guest, out of the folder.
func takeLock(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := plat.Lock(lock); err != nil {
		lock.Close()
		if errors.Is(err, plat.ErrLocked) {
			err = errors.New("a system is running there already")
		}
		return nil, err
	}
	return lock, nil
}
