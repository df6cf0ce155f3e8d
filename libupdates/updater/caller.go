package updater

import "context"

// A Caller is who asks for a step. The engine passes it on to the audit log, and decides nothing by it. The zero Caller
// is the system itself.
type Caller struct {
	Role        string // of an operator, or the name of a daemon
	Connection  string // which of the connections with that role
	Attenuation string // what was given up on the way to the call
}

// As returns a context for steps that a caller asks for.
func As(ctx context.Context, c Caller) context.Context { return context.WithValue(ctx, callerKey{}, c) }

type callerKey struct{}

// by returns the log for the steps of whoever the context is of.
func (j journal) by(ctx context.Context) journal {
	j.caller = CallerOf(ctx)
	return j
}

// CallerOf returns who asks for the steps of a context.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
