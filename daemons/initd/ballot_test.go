package initd

import (
	"testing"

	"nexus/daemons/initd/links"
	"nexus/daemons/vat"
	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// TestVerdictWaitsForTheVote lets everything be healthy but the word of the voter.
func TestVerdictWaitsForTheVote(t *testing.T) {
	const boot = 7
	commit := health.Action{Do: health.Commit, Boot: boot, Watch: true}
	cast := func(boot uint64, choice health.Choice) func(*ballot) {
		return func(b *ballot) { b.boot, b.choice, b.why = boot, choice, "because" }
	}
	for _, c := range []struct {
		name  string
		voter string
		does  func(*ballot)
		want  health.Action
	}{
		{"nobody votes", "", func(*ballot) {}, commit},
		{"no vote yet", selftestName, func(*ballot) {}, health.Action{}},
		{"yes", selftestName, cast(boot, health.Yes), commit},
		{"no", selftestName, cast(boot, health.No), health.Action{
			Do: health.Fail, Boot: boot, Reason: refusal.SelftestFailed, Detail: "selftest: voted no: because",
		}},
		{"yes to the attempt before", selftestName, cast(boot-1, health.Yes), health.Action{}},
		{"yes, then it ended", selftestName, func(b *ballot) { cast(boot, health.Yes)(b); b.gone = true },
			health.Action{
				Do: health.Fail, Boot: boot, Reason: refusal.SelftestFailed, Detail: "selftest: voted no: it ended",
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &ballot{voter: c.voter, changed: vat.NewNotifier()}
			b.update(func() { c.does(b) })
			trial := health.NewTrial(links.Runner, health.DefaultPolicy(), true)
			trial, _ = trial.After(health.Recorded{Boot: boot})
			trial, _ = trial.After(health.Began{Attempt: health.Attempt{Boot: boot, Policy: health.DefaultPolicy()}})
			trial, _ = trial.After(health.Reported{Boot: boot})
			if _, got := trial.After(health.Seen{Votes: b.votes()}); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
