package initd

import (
	"testing"

	"nexus/daemons/vat"
	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// TestVerdictWaitsForTheVote lets everything be healthy but the word of the voter.
func TestVerdictWaitsForTheVote(t *testing.T) {
	const boot = 7
	cast := func(boot uint64, choice health.Choice) func(*ballot) {
		return func(b *ballot) { b.boot, b.choice, b.why = boot, choice, "because" }
	}
	for _, c := range []struct {
		name  string
		voter string
		does  func(*ballot)
		want  health.Verdict
	}{
		{"nobody votes", "", func(*ballot) {}, health.Verdict{Outcome: health.OK}},
		{"no vote yet", selftestName, func(*ballot) {}, health.Verdict{Outcome: health.Waiting, Detail: "selftest: has not voted"}},
		{"yes", selftestName, cast(boot, health.Yes), health.Verdict{Outcome: health.OK}},
		{"no", selftestName, cast(boot, health.No), health.Verdict{
			Outcome: health.Failed, Reason: refusal.SelftestFailed, Detail: "selftest: voted no: because",
		}},
		{"yes to the attempt before", selftestName, cast(boot-1, health.Yes), health.Verdict{Outcome: health.Waiting, Detail: "selftest: has not voted"}},
		{"yes, then it ended", selftestName, func(b *ballot) { cast(boot, health.Yes)(b); b.gone = true }, health.Verdict{
			Outcome: health.Failed, Reason: refusal.SelftestFailed, Detail: "selftest: voted no: it ended",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &ballot{voter: c.voter, changed: vat.NewNotifier()}
			b.update(func() { c.does(b) })
			g := &gatekeeper{s: &system{ballot: b}, at: &attempt{boot: boot}}
			g.at.services.put(health.Verdict{Outcome: health.OK}, true)
			if got := g.judge(); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
