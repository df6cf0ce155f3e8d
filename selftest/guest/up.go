package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"nexus/daemons/initd/machine"
	"nexus/daemons/plat"
	"nexus/selftest/console"
	"nexus/selftest/qemu"
)

// upVerb keeps a guest running.
type upVerb struct {
	machineFlags
	Dir string `required:"" placeholder:"DIR" help:"Folder for the control socket: what nx takes as --dir."`
}

// How long the system in the guest may take to stop before its machine is ended, and QEMU to end the machine before it
// is killed.
const (
	shutdownPatience = 10 * time.Second
	quitPatience     = 3 * time.Second
)

// Run shows the console until the guest powers its machine off, by itself or because this process was told to end.
func (v *upVerb) Run(g *grammar) error {
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
	signal.Ignore(syscall.SIGPIPE) // whoever reads the console may go away; the guest stays
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	m.Reboots = true
	guest, err := qemu.Start(m, v.Dir)
	if err != nil {
		return err
	}
	if v.Disk != "" {
		fmt.Printf("guest: what it remembers is on %s; without that file it starts afresh\n", v.Disk)
	}
	fmt.Printf("guest: %s under QEMU; `nx --dir %s status` reaches it, `nx --dir %s shutdown` or Ctrl-C stops it\n",
		v.Arch, v.Dir, v.Dir)
	stopped := make(chan error, 1)
	go func() { stopped <- attend(guest, signals) }()
	gaveUp := show(guest.Console())
	endErr := guest.Wait()
	switch stopErr := <-stopped; {
	case gaveUp != "":
		return fmt.Errorf("the guest gave up: %s", gaveUp)
	case stopErr != nil:
		return stopErr
	case endErr != nil:
		return fmt.Errorf("the guest ended badly: %w", endErr)
	}
	return nil
}

// show copies the console to its end and returns the line by which the first process gave up, if there is one. If
// nothing can be shown any more, it reads on: a guest must not stop for that.
func show(from io.Reader) (gaveUp string) {
	out := io.Writer(os.Stdout)
	console.Each(from, func(line string) bool {
		if strings.HasPrefix(line, machine.LineFatal) {
			gaveUp = line
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			fmt.Fprintf(os.Stderr, "guest: cannot show the console any more: %v\n", err)
			out = io.Discard
		}
		return true
	})
	io.Copy(io.Discard, from)
	return gaveUp
}

// attend waits for a signal and stops the system then; a second signal ends QEMU at once. It returns when QEMU has
// ended: an error if that was not in good order.
func attend(guest *qemu.Guest, signals <-chan os.Signal) error {
	select {
	case <-signals:
	case <-guest.Done():
		return nil
	}
	go func() {
		select {
		case <-signals:
			guest.Kill()
		case <-guest.Done():
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), shutdownPatience)
	defer cancel()
	if guest.Shutdown(ctx) == nil && ended(guest, shutdownPatience) {
		return nil
	}
	guest.Stop()
	if !ended(guest, quitPatience) {
		guest.Kill()
		<-guest.Done()
	}
	return errors.New("the system in the guest did not stop; its machine was ended")
}

// ended waits for QEMU's end, with a bound.
func ended(guest *qemu.Guest, patience time.Duration) bool {
	select {
	case <-guest.Done():
		return true
	case <-time.After(patience):
		return false
	}
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
			err = &adviceError{errors.New("a system is running there already"),
				fmt.Sprintf("`nx --dir %s status` shows it, `nx --dir %s shutdown` stops it", dir, dir)}
		}
		return nil, err
	}
	return lock, nil
}
