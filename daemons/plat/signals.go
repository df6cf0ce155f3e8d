package plat

import (
	"context"
	"os"
	"os/signal"
	"slices"
)

// UntilSignal is a context that the first of these signals ends; the next one ends the process at once. A signal that
// was ignored when the process began stays ignored: that is how nohup(1), and a shell that starts something in the
// background, say that it is to go on.
func UntilSignal(ctx context.Context, signals ...os.Signal) context.Context {
	asked := slices.DeleteFunc(slices.Clone(signals), signal.Ignored)
	if len(asked) == 0 {
		return ctx // to be told of no signal would mean of all
	}
	ctx, stop := signal.NotifyContext(ctx, asked...)
	context.AfterFunc(ctx, stop)
	return ctx
}
