package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"nexus/daemons/bundlemgrd"
	"nexus/daemons/execd"
	"nexus/daemons/fetchd"
	"nexus/daemons/initd"
	"nexus/daemons/keystored"
	"nexus/daemons/logd"
	"nexus/daemons/packagefsd"
	"nexus/daemons/patchd"
	"nexus/daemons/plat"
	"nexus/daemons/remoted"
	"nexus/daemons/samgrd"
	"nexus/daemons/selftest"
	"nexus/daemons/statefsd"
	"nexus/daemons/updated"
	"nexus/daemons/vat"
	"nexus/libupdates/updater"
	"nexus/packaging/release"
)

// exitFatal is the exit status that tells initd that restarting the daemon cannot help.
const exitFatal = 78

// stopPatience is how long a daemon may take to stop after the order to do so.
const stopPatience = 3 * time.Second

// An applet runs a daemon until ctx ends.
type applet func(ctx context.Context, b *vat.Endowments, host plat.Host) error

// applets returns all daemons by name.
func applets() map[string]applet {
	return map[string]applet{
		"bundlemgrd": bundlemgrd.Run,
		"execd":      execd.Run,
		"fetchd":     fetchd.Run,
		"keystored":  keystored.Run,
		"logd":       logd.Run,
		"packagefsd": packagefsd.Run,
		"patchd":     patchd.Run,
		"remoted":    remoted.Run,
		"samgrd":     samgrd.Run,
		"selftest":   selftest.Run,
		"statefsd":   statefsd.Run,
		"updated":    updated.Run,
	}
}

// run runs the program called name and returns its exit status.
func run(name string, args []string, stdout, stderr *os.File) int {
	switch name {
	case "init":
		return initd.Init(args, stdout)
	case "initd":
		return initd.Main(args, stdout, stderr)
	}
	daemon, known := applets()[name]
	if !known {
		if slices.Equal(args, []string{"--version"}) {
			return version(stdout, stderr)
		}
		return usage(name, stderr)
	}
	err := serve(name, daemon)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
	}
	return status(err)
}

// serve runs a daemon on the endowment channel until initd closes the channel or dies.
func serve(name string, daemon applet) error {
	starts := name == "execd"
	if err := plat.Settle(starts); err != nil {
		return err
	}
	channel, err := vat.ChannelOf(os.NewFile(vat.EndowmentFD, "endowments"))
	if err != nil {
		return fmt.Errorf("cannot start: %w (daemons are started by initd)", err)
	}
	b := vat.Endowed(channel)
	defer b.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-b.Done()
		cancel()
		time.AfterFunc(stopPatience, func() { os.Exit(1) }) // in case initd, which would kill this process, is dead
	}()
	host := plat.Host{Clock: plat.RealClock{}}
	if starts {
		if host.Spawner, err = plat.NewReaper(); err != nil {
			return err
		}
	}
	err = daemon(ctx, b, host)
	if ctx.Err() != nil {
		return nil // the end was ordered; errors caused by it do not count
	}
	return err
}

func status(err error) int {
	var factory *updater.FactoryError
	var state *statefsd.UnusableError
	var keys *keystored.UnusableError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &factory), errors.As(err, &state), errors.As(err, &keys):
		return exitFatal
	default:
		return 1
	}
}

func version(stdout, stderr io.Writer) int {
	if _, err := fmt.Fprintln(stdout, release.Line("nexus")); err != nil {
		fmt.Fprintf(stderr, "nexus: cannot print version: %v\n", err)
		return 1
	}
	return 0
}

func usage(name string, stderr io.Writer) int {
	names := []string{"init", "initd"}
	for applet := range applets() {
		names = append(names, applet)
	}
	slices.Sort(names)
	fmt.Fprintf(stderr, "%s: cannot start: argv[0] must be one of %s\n", name, strings.Join(names, ", "))
	fmt.Fprintln(stderr, "hint: start a system with `nx up --dir DIR`")
	return 2
}
