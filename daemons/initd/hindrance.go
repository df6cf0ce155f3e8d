package initd

import (
	"context"
	"time"

	"nexus/daemons/plat"
	"nexus/libupdates/refusal"
)

// lookForHindrances finds out, before any daemon is started, what of this machine keeps services from being started.
func (c *Config) lookForHindrances(spawner plat.Spawner) { c.hindrances = plat.Hindrances(spawner) }

// hinderedSetting tells updated why no service can be started until the system is started again; empty: one can.
const hinderedSetting = "hindered"

// lasting is the value of that setting.
func (c Config) lasting() string {
	for _, h := range c.hindrances {
		if h.Lasts {
			return h.What
		}
	}
	return ""
}

// hindrance is what services of this system may fail of through no fault of their own; empty: nothing known.
func (c Config) hindrance() string {
	if len(c.hindrances) == 0 {
		return ""
	}
	return c.hindrances[0].What
}

// tellHindrances warns of what will keep services from being started, before an update is tried.
func (s *system) tellHindrances(sharedUsers bool) {
	if sharedUsers {
		s.log.Warn("too many systems run on this machine: bundles may share users with those of another")
	}
	for _, h := range s.config.hindrances {
		s.log.Warn("services are hindered on this machine", "cause", h.What, "remedy", h.Remedy)
	}
}

// awaitStarts waits until a service can be started on this machine: an attempt before that would spend a try on what
// is not its set's fault. It reports whether there is anything to go on with.
func (s *system) awaitStarts(ctx context.Context) bool {
	if len(s.config.hindrances) == 0 {
		return true
	}
	backoff, pause := plat.Backoff{First: firstPause, Max: maxPause}, time.Duration(0)
	for plat.ProbeStart(s.host.Spawner) != nil {
		if pause == 0 {
			s.log.Warn("no service can be started on this machine: attempts wait")
		}
		pause = backoff.Next(pause, 0)
		select {
		case <-s.host.Clock.After(pause):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// unpublished is why an attempt fails whose slot could not be published. A disk that cannot be read, or a daemon that
// is away, is not held against the set, and neither is that the key is no longer trusted by which it was staged.
func unpublished(err error) refusal.Reason {
	switch refusal.Of(err) {
	case refusal.IO, refusal.Disconnected:
		return refusal.CoreNotReady
	case refusal.UntrustedPublisher, refusal.InvalidSignature, refusal.ThresholdNotMet, refusal.KeyRevoked,
		refusal.SetRevoked:
		return refusal.Revoked
	default:
		return refusal.PublishFailed
	}
}
