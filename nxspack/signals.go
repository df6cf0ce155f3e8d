package nxspack

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// UntilSignal returns a context that is canceled by the first signal which asks the process to end, so that partial
// output is removed. The next signal ends the process. Signals that were ignored at the start stay ignored (nohup(1)).
func UntilSignal() context.Context {
	asked := slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}, signal.Ignored)
	if len(asked) == 0 {
		return context.Background() // signal.NotifyContext without signals would mean all signals
	}
	ctx, stop := signal.NotifyContext(context.Background(), asked...)
	context.AfterFunc(ctx, stop)
	return ctx
}
