package initd

import (
	"context"
	"errors"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/libupdates/refusal"
)

// orderPatience is how long an end that was ordered waits for updated to note it. A system that cannot is taken down
// all the same.
const orderPatience = 5 * time.Second

// ErrNoOrder is the cause with which Boot's context is cancelled where nobody ordered the end: tests cut a system so.
var ErrNoOrder = errors.New("nobody ordered it")

// ErrReboot is how a system ends that is to begin anew.
var ErrReboot = errors.New("a reboot was ordered")

// endBy gives an operator's order to end. A second one of the same kind changes nothing; one of another kind is
// refused, and so is any that comes when another core is about to take over.
func (s *system) endBy(o outcome) error {
	first, err := s.stop(o)
	if err == nil && first.again != o.again {
		err = refusal.New(refusal.Superseded, "another end was ordered before")
	}
	return convert.Except(err)
}

// ordered tells whether somebody outside ordered the end: an operator, or whoever sent a signal to the first process.
func (s *system) ordered(ctx context.Context) bool {
	if ctx.Err() != nil {
		return !errors.Is(context.Cause(ctx), ErrNoOrder)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outcome.ordered
}

// orderEnd has the end noted in the boot record while it can be, durably: the next boot is then a commanded one, and
// the attempt that ends with this boot costs nothing. Without a state folder there is no next boot that could read it.
func (s *system) orderEnd() {
	if s.config.State == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), orderPatience)
	defer cancel()
	err := s.holdings["HealthGate"].Call(ctx, func(client capnp.Client) error {
		answer, release := update.HealthGate(client).BootEnds(ctx, nil)
		defer release()
		_, err := answer.Struct()
		return err
	})
	if err != nil {
		s.log.Warn("cannot note that the end was ordered", "error", err)
	}
}
