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
	"nexus/daemons/plat"
	"nexus/libupdates/trust"
)

// Init is Main for the first process of a machine. It prepares the machine, runs the system, and powers the machine off
// once the system has stopped or cannot go on, or restarts it if that was ordered. It returns only in a process that is
// not the first.
func Init(args []string, console *os.File) int {
	_, handed := machine.OwnArgs(args)
	return machine.Main(handed != "", console, func() (again bool, err error) {
		if err = runMachine(args, console); errors.Is(err, ErrReboot) {
			return true, nil
		}
		return false, err
	})
}

// runMachine prepares the machine, unless the previous core has, and runs the system until it stops.
func runMachine(args []string, console *os.File) (err error) {
	_, handed := machine.OwnArgs(args)
	if handed == "" {
		if err := machine.PrepareMachine(); err != nil {
			return err
		}
		machine.PrepareNetwork(console)
	}
	config, err := guestConfig(args, console)
	if err != nil {
		return err
	}
	config.machine, config.Cause = machine.Open(config.Watchdog, config.Mark, &config.Handed, console)
	defer func() {
		if endErr := config.machine.End(errors.Is(err, ErrReboot)); endErr != nil {
			fmt.Fprintf(console, "init: %v\n", endErr)
		}
	}()
	persistent := false
	if handed == "" {
		if persistent, err = machine.MountFolder(console); err != nil {
			return err
		}
		if err := config.machine.Pet(); err != nil {
			return err
		}
	}
	defer machine.LeaveFolder(console)
	config.machine.Recall(machine.GuestDir, config.TryWatchdog && persistent, console)
	if persistent && config.State == "" {
		config.State = filepath.Join(machine.GuestDir, stateDir)
	}
	if err := plat.TakeCtrlAltDel(); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGQUIT)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return up(ctx, config, machine.GuestBin, console, console)
}

// guestConfig returns how to run the system of this image. The image has the trusted keys and the factory set; what may
// differ from boot to boot is on the kernel's command line after `--`.
func guestConfig(args []string, stderr io.Writer) (Config, error) {
	own, _ := machine.OwnArgs(args)
	c, err := parseArgs(append([]string{"--dir", machine.GuestDir}, args...), stderr)
	if errors.Is(err, flag.ErrHelp) {
		return Config{}, errors.New("cannot start: the kernel's command line asks for help")
	}
	if err != nil {
		return Config{}, err
	}
	keys, err := filepath.Glob(filepath.Join(machine.GuestTrust, "*.pub"))
	if err != nil {
		return Config{}, err
	}
	appKeys, err := filepath.Glob(filepath.Join(machine.GuestAppTrust, "*.pub"))
	if err != nil {
		return Config{}, err
	}
	c.name, c.args = "init", own
	for _, key := range appKeys {
		keys = append(keys, trust.AppsMark+key)
	}
	c.Trust = append(keys, c.Trust...)
	c.Port = machine.GuestPort
	if _, err := os.Stat(machine.GuestFactory); err == nil && c.Factory == "" {
		c.Factory = machine.GuestFactory
	}
	return c, nil
}
