// Command run boots a system on this host, shows its console, and checks its markers against the ladder of the update
// flow. `make run GUEST=host` runs it. It exits with 0 only if all markers appeared in order and the system ended by
// itself, in order.
//
// Usage: run [-timeout 190s] [-until-marker] -- COMMAND...
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"nexus/selftest/ladder"
	"nexus/selftest/watch"
)

func main() {
	timeout := flag.Duration("timeout", 190*time.Second, "end the run, as failed, after this long")
	until := flag.Bool("until-marker", false, "stop the system once the last marker was seen")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "run: cannot run: no command given")
		os.Exit(2)
	}
	if err := run(flag.Args(), *timeout, *until); err != nil {
		fmt.Fprintf(os.Stderr, "run: %v\n", err)
		os.Exit(1)
	}
	fmt.Printf("run: all %d markers seen, in order\n", len(ladder.OTA()))
}

func run(command []string, timeout time.Duration, untilMarker bool) error {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM)
	path, err := exec.LookPath(command[0])
	if err != nil {
		return fmt.Errorf("cannot start the system: %w", err)
	}
	system, err := watch.Start(path, command[1:], nil)
	if err != nil {
		return fmt.Errorf("cannot start the system: %w", err)
	}
	w := watch.Watcher{
		Rungs: ladder.OTA(), UntilMarker: untilMarker, Patience: watch.DefaultPatience, Out: os.Stdout,
		Timeout: time.After(timeout), Interrupted: interrupted,
	}
	return w.Run(system)
}
