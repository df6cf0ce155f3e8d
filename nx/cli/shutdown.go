package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
)

// stopPatience bounds how long a system may take to stop.
const stopPatience = 60 * time.Second

// shutdownVerb stops the system.
type shutdownVerb struct{}

// Run returns when the system is down, which shows because the connection ends.
func (*shutdownVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		answer, release := s.operator.Stop(ctx, nil)
		defer release()
		_, err := answer.Struct()
		if err := awaitDown(ctx, s, err); err != nil {
			return cannot("shut down the system", in.place(), err)
		}
		return in.answer(struct{}{}, func(w io.Writer) { fmt.Fprintf(w, "the system %s is down\n", in.place()) })
	})
}

// rebootPatience bounds how long services may take to come back.
const rebootPatience = 10 * time.Minute

// rebootVerb restarts the system.
type rebootVerb struct {
	Downtime bool `help:"Wait until every service is back, and say how long each was away."`
}

// A rebooted is the result of a reboot.
type rebooted struct {
	Downtime []away `json:"downtime,omitempty"` // where that was asked for
}

// Run returns when the system is down. It waits for the services to be back only with --downtime.
func (v *rebootVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		watched, err := in.watchServices(ctx, v.Downtime)
		if err != nil {
			return cannot("watch the services", "", err)
		}
		defer watched.stop()
		answer, release := s.operator.Reboot(ctx, nil)
		defer release()
		_, err = answer.Struct()
		if err := awaitDown(ctx, s, err); err != nil {
			return cannot("reboot the system", in.place(), err)
		}
		if err := watched.awaitBack(ctx); err != nil {
			return cannot("wait for the services", "", err)
		}
		done := rebooted{watched.stop()}
		return in.answer(done, func(w io.Writer) {
			fmt.Fprintf(w, "the system %s is down and begins anew\n", in.place())
			printDowntime(w, done.Downtime)
		})
	})
}

// awaitDown waits for the end of the system after the order to stop, whose result it takes.
func awaitDown(ctx context.Context, s *session, err error) error {
	if err != nil && !vat.Disconnected(err) {
		return convert.Excepted(err)
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
