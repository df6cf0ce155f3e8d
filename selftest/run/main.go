// Command run boots a system on this host, shows its console, and holds its markers against the ladder of the update flow. It is what
// `make run` runs: exit 0 only when every marker came, in order, and the system ended by itself in good order.
//
// Usage: run [-timeout 190s] [-until-marker] -- COMMAND...
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	timeout := flag.Duration("timeout", 190*time.Second, "end the run, as failed, after this long")
	until := flag.Bool("until-marker", false, "stop the system once the last marker was seen")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "run: cannot run: no command given")
		os.Exit(2)
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM)
	watch := watcher{timeout: time.After(*timeout), interrupted: interrupted, untilMarker: *until, out: os.Stdout}
	if err := watch.run(flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "run: %v\n", err)
		os.Exit(1)
	}
}
