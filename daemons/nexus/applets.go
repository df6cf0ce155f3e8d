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
	"nexus/daemons/initd"
	"nexus/daemons/keystored"
	"nexus/daemons/logd"
	"nexus/daemons/packagefsd"
	"nexus/daemons/plat"
	"nexus/daemons/samgrd"
	"nexus/daemons/selftest"
	"nexus/daemons/statefsd"
	"nexus/daemons/updated"
	"nexus/daemons/vat"
	"nexus/libupdates/updater"
	"nexus/packaging/release"
)

// exitFatal tells initd that starting this daemon again cannot help.
const exitFatal = 78

// stopPatience is how long a daemon may take to stop once it was told to.
const stopPatience = 3 * time.Second

// A daemon's life, from start to the end of ctx.
type life func(ctx context.Context, b *vat.Endowments, host plat.Host) error

// applets is the table of daemons.
func applets() map[string]life {
	return map[string]life{
		"bundlemgrd": bundlemgrd.Run,
		"execd":      execd.Run,
		"keystored":  keystored.Run,
		"logd":       logd.Run,
		"packagefsd": packagefsd.Run,
		"samgrd":     samgrd.Run,
		"selftest":   selftest.Run,
		"statefsd":   statefsd.Run,
		"updated":    updated.Run,
	}
}

// run plays the part that name asks for and returns the exit status.
func run(name string, args []string, stdout, stderr *os.File) int {
	switch name {
	case "init":
		return initd.Init(args, stdout)
	case "initd":
		return initd.Main(args, stdout, stderr)
	}
	live, known := applets()[name]
	if !known {
		if slices.Equal(args, []string{"--version"}) {
			return version(stdout, stderr)
		}
		return usage(name, stderr)
	}
	err := serve(name, live)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
	}
	return status(err)
}

// serve lives a daemon's life on the endowment channel. It ends when initd closes the channel, or dies.
func serve(name string, live life) error {
	starts := name == "execd"
	if err := plat.Settle(starts); err != nil {
		return err
	}
	channel, err := vat.ChannelOf(os.NewFile(vat.EndowmentFD, "endowments"))
	if err != nil {
		return fmt.Errorf("cannot be born: %w (daemons are started by initd)", err)
	}
	b := vat.Endowed(channel)
	defer b.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-b.Done()
		cancel()
		time.AfterFunc(stopPatience, func() { os.Exit(1) }) // for when initd, who would see to it, is dead
	}()
	host := plat.Host{Clock: plat.RealClock{}}
	if starts {
		if host.Spawner, err = plat.NewReaper(); err != nil {
			return err
		}
	}
	err = live(ctx, b, host)
	if ctx.Err() != nil {
		return nil // the end was ordered; what broke by it is no failure
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
