package bootctl_test

import (
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// TestBlame goes through the reasons for leaving a set: which quarantine it, and which end a trial though a try is
// left.
func TestBlame(t *testing.T) {
	for reason, want := range map[refusal.Reason]struct{ quarantined, final bool }{
		refusal.ServiceExited:      {true, false},
		refusal.ServiceUnhealthy:   {true, false},
		refusal.ServiceStartFailed: {true, false},
		refusal.QuorumLost:         {true, false},
		refusal.SelftestFailed:     {true, false},
		refusal.PublishFailed:      {true, false},
		refusal.CrashLoop:          {true, false},
		refusal.ByOperator:         {true, false},
		refusal.HealthTimeout:      {true, true},
		"of-a-later-version":       {true, false},
		refusal.CoreNotReady:       {false, false},
		refusal.Hindered:           {false, true},
		refusal.Revoked:            {false, true},
	} {
		t.Run(string(reason), func(t *testing.T) {
			m := must{t}
			trial := m.attempt(m.put(m.update(bootctl.New(), set(1)), set(2)))
			r, verdict, err := trial.Fail(trial.Boot, reason, "why")
			m.ok(err)
			equal(t, "the first failure ends the trial", verdict == bootctl.RolledBack, want.final)
			for verdict == bootctl.Retry {
				r = m.attempt(r)
				r, verdict, err = r.Fail(r.Boot, reason, "why")
				m.ok(err)
			}
			equal(t, "last rollback", r.LastRollback.Reason, reason)
			equal(t, "quarantined", r.IsQuarantined(set(2).Digest), want.quarantined)
			if _, _, err = r.Stage(set(2)); (err == nil) == want.quarantined {
				t.Errorf("stage again: %v", err)
			}
		})
	}
}
