package cli

import (
	"context"
	"errors"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/updateclient"
	"nexus/libupdates/refusal"
)

// The pause before updated, or a system that restarts under another core, is asked again, and how many times in a row
// it may have nothing new. A slow machine answers long before its daemons do: each of its boots may take 30 seconds.
const (
	askAgainAfter = 250 * time.Millisecond
	askAgainTimes = 120
)

// await follows the state until look returns true. It continues across restarts of updated and of the system. It ends
// when no system runs there any more, when ctx ends, or after patience.
func await(ctx context.Context, s *session, patience time.Duration, look func(state) (enough bool, err error)) error {
	return awaitOf(ctx, s, s.status, patience, look)
}

// A statusFacet returns UpdateStatus, of the system or of a package of apps.
type statusFacet func(context.Context) (update.UpdateStatus, capnp.ReleaseFunc)

// awaitOf is await for another slot pair than the system.
func awaitOf(ctx context.Context, s *session, of statusFacet, patience time.Duration,
	look func(state) (enough bool, err error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, refusal.New(refusal.HealthTimeout, "no verdict within %s",
		patience))
	defer cancel()
	return s.persist(ctx, func() (heard, enough bool, err error) { return followOnce(ctx, s, of, look) })
}

// persist calls follow for one instance of a daemon after another, and across restarts of the system, until it returns
// enough. It gives up after too many calls in a row without news, in one run of the system or across several.
func (s *session) persist(ctx context.Context, follow func() (heard, enough bool, err error)) error {
	for silent, lives := 0, 0; silent < askAgainTimes && lives < askAgainTimes; silent++ {
		heard, enough, err := follow()
		if err == nil && !enough {
			err = s.pause(ctx, askAgainAfter)
		}
		if errors.Is(err, errGone) {
			err = s.comeBack(ctx)
			silent = 0
			lives++
		}
		switch {
		case enough, err != nil:
			return err
		case heard:
			silent, lives = 0, 0
		}
	}
	return errGone
}

// followOnce follows one instance of updated.
func followOnce(ctx context.Context, s *session, of statusFacet, look func(state) (bool, error)) (
	heard, enough bool, err error) {
	status, done := of(ctx)
	defer done()
	over := false
	ended := updateclient.Follow(ctx, status, func(now updateclient.Status) bool {
		heard = true
		enough, err = look(stateOf(now))
		over = enough || err != nil
		return over
	})
	if !over {
		err = s.unlessRefused(ctx, ended)
	}
	return heard, enough, err
}

// unlessOver returns an error if a failed call was the end of the whole session, and nil if it was that of the daemon
// only.
func (s *session) unlessOver(ctx context.Context) error { return s.pause(ctx, 0) }

// unlessRefused is unlessOver for a call that may have been refused, which would be refused again.
func (s *session) unlessRefused(ctx context.Context, err error) error {
	var refused *refusal.Error
	if errors.As(convert.Excepted(err), &refused) {
		return refused
	}
	return s.unlessOver(ctx)
}

// pause waits, unless the session or ctx is over.
func (s *session) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.conn.Done():
		return errGone
	default:
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.conn.Done():
		return errGone
	}
}
