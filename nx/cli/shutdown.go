package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"nexus/daemons/vat"
	"nexus/daemons/wire"
	"nexus/libupdates/refusal"
)

// stopPatience bounds how long a system may take to stop.
const stopPatience = 60 * time.Second

// shutdownVerb stops the system.
type shutdownVerb struct{}

// Run returns when the system is down, which is when it ends the connection.
func (*shutdownVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		answer, release := s.operator.Stop(ctx, nil)
		defer release()
		_, err := answer.Struct()
		if err := s.awaitDown(ctx, err); err != nil {
			return cannot("shut down", in.dir, err)
		}
		return in.answer(struct{}{}, func(w io.Writer) { fmt.Fprintf(w, "the system %s is down\n", in.place()) })
	})
}

// rebootVerb has the system begin anew.
type rebootVerb struct{}

// Run returns when the system is down; whether it is back is seen as for any other start.
func (*rebootVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		answer, release := s.operator.Reboot(ctx, nil)
		defer release()
		_, err := answer.Struct()
		if err := s.awaitDown(ctx, err); err != nil {
			return cannot("reboot", in.dir, err)
		}
		return in.answer(struct{}{}, func(w io.Writer) { fmt.Fprintf(w, "the system %s is down and begins anew\n", in.place()) })
	})
}

// awaitDown waits for the end that was ordered, given the answer to the order.
func (s *session) awaitDown(ctx context.Context, err error) error {
	if err != nil && !vat.Disconnected(err) {
		return wire.Excepted(err)
	}
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	select {
	case <-s.conn.Done():
		return nil
	case <-ctx.Done():
		return refusal.New(refusal.Stalled, "it did not stop within %s", stopPatience)
	}
}
