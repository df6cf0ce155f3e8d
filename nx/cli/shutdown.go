package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
)

// stopPatience bounds how long a system may take to stop.
const stopPatience = 60 * time.Second

// shutdownVerb stops the system.
type shutdownVerb struct{}

// Run returns when the system is down, which is when it ends the connection.
func (*shutdownVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		if err := s.stop(ctx); err != nil {
			return cannot("shut down", in.dir, err)
		}
		return in.answer(struct{}{}, func(w io.Writer) { fmt.Fprintf(w, "the system %s is down\n", in.place()) })
	})
}

func (s *session) stop(ctx context.Context) error {
	answer, release := s.operator.Stop(ctx, nil)
	defer release()
	if _, err := answer.Struct(); err != nil && !vat.Disconnected(err) {
		return err
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
