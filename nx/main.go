// Command nx is the operator's command: it starts a system on this host and talks to one that runs.
package main

import (
	"context"
	"os"
	"syscall"

	"nexus/daemons/plat"
	"nexus/nx/cli"
)

func main() {
	ctx := plat.UntilSignal(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	os.Exit(cli.Run(ctx, os.Args[1:], cli.System()))
}
