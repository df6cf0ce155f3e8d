// Command nx is the operator's command: it starts a system on this host and talks to one that runs.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"nexus/nx/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(cli.Run(ctx, os.Args[1:], cli.System()))
}
