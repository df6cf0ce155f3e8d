package nxspack

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// UntilSignal is a context that the first signal which asks a process to end ends: so that what is not whole yet is
// taken away. The next signal ends the process. A signal that was ignored from the start stays so (nohup(1)).
func UntilSignal() context.Context {
	asked := slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}, signal.Ignored)
	if len(asked) == 0 {
		return context.Background() // to be told of no signal would mean of all
	}
	ctx, stop := signal.NotifyContext(context.Background(), asked...)
	context.AfterFunc(ctx, stop)
	return ctx
}
