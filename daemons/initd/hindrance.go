package initd

import (
	"context"

	"nexus/daemons/plat"
	"nexus/libupdates/refusal"
)

// lookForHindrances finds out what on this machine keeps services from starting, before any daemon runs.
func (c *Config) lookForHindrances(spawner plat.Spawner) { c.hindrances = plat.Hindrances(spawner) }

// hinderedSetting tells updated why no service can start until the system is restarted; empty: services can start.
const hinderedSetting = "hindered"

// lasting returns the value of that setting.
func (c Config) lasting() string {
	for _, h := range c.hindrances {
		if h.Lasts {
			return h.What
		}
	}
	return ""
}

// hindrance returns why services of this system may fail through no fault of their own; empty: nothing is known.
func (c Config) hindrance() string {
	if len(c.hindrances) == 0 {
		return ""
	}
	return c.hindrances[0].What
}

// tellHindrances warns of what keeps services from starting, before an update is tried.
func (s *system) tellHindrances(sharedUsers bool) {
	if sharedUsers {
		s.log.Warn("too many systems run on this machine: bundles may share users with those of another")
	}
	for _, h := range s.config.hindrances {
		s.log.Warn("services are hindered on this machine", "cause", h.What, "remedy", h.Remedy)
	}
}

// awaitStarts waits until services can start on this machine: an attempt before that would use up a try through no
// fault of the set. It reports whether to go on.
func (s *system) awaitStarts(ctx context.Context) bool {
	if len(s.config.hindrances) == 0 {
		return true
	}
	for retry := newRetry(s.host.Clock); plat.ProbeStart(s.host.Spawner) != nil; {
		if retry.pause == 0 {
			s.log.Warn("no service can be started on this machine: attempts wait")
		}
		if !retry.rest(ctx) {
			return false
		}
	}
	return true
}

// unpublished returns why an attempt fails whose slot could not be published. An unreadable disk, a daemon that is
// down, or a key that is no longer trusted is not held against the set.
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
