package updater

import (
	"context"
	"runtime"
	"testing"

	"nexus/libupdates/refusal"
)

// waiting has somebody wait in UntilEnded, and returns where the outcome comes.
func (d *device) waiting(t *testing.T, ctx context.Context) <-chan error {
	t.Helper()
	before := d.waiters()
	outcome := make(chan error, 1)
	go func() { outcome <- d.Staging.UntilEnded(ctx, false) }()
	for d.waiters() == before && t.Context().Err() == nil {
		runtime.Gosched()
	}
	return outcome
}

func (d *device) waiters() int {
	d.Staging.mu.Lock()
	defer d.Staging.mu.Unlock()
	return len(d.Staging.waiters)
}

// TestThoseBetweenStagesAreEnded has two senders wait between two stages: an operator ends both, and neither before.
func TestThoseBetweenStagesAreEnded(t *testing.T) {
	d, clock := newStages(t)
	first, second := d.waiting(t, t.Context()), d.waiting(t, t.Context())
	s, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: 1000, Resume: true})
	must(t, err)
	s.Drop()
	waitFor(t, "the end of a stage that its sender dropped", s.over)
	if len(first)+len(second) > 0 {
		t.Error("a stage ended by itself, and others were told")
	}
	if ended, err := d.EndStage(t.Context()); !ended || err != nil {
		t.Errorf("ended is %t: %v", ended, err)
	}
	for _, outcome := range []<-chan error{first, second} {
		if err := waitFor(t, "the outcome", outcome); refusal.Of(err) != refusal.Cancelled {
			t.Errorf("got %v, want %s", err, refusal.Cancelled)
		}
	}
	if err := d.Staging.UntilEnded(impatient(), false); refusal.Of(err) != refusal.StageInProgress {
		t.Errorf("while the place is kept: %v, want %s", err, refusal.StageInProgress)
	}
	if err := d.Staging.UntilEnded(impatient(), true); refusal.Of(err) == refusal.StageInProgress {
		t.Errorf("an operator is refused: %v", err)
	}
	if ended, err := d.EndStage(t.Context()); ended || err != nil || d.waiters() > 0 {
		t.Errorf("nobody waits: ended is %t, %v, %d wait", ended, err, d.waiters())
	}
	clock.pass(holdOff)
	ctx, leave := context.WithCancel(t.Context())
	gone := d.waiting(t, ctx)
	leave()
	waitFor(t, "the end of a wait", gone)
	if ended, err := d.EndStage(t.Context()); ended || err != nil {
		t.Errorf("somebody has gone: ended is %t, %v", ended, err)
	}
}

// TestACompletedStageEndsNobody has an operator end a stage too late: nobody is told to stop.
func TestACompletedStageEndsNobody(t *testing.T) {
	d, _ := newStages(t)
	outcome := d.waiting(t, t.Context())
	raw := archive(t, false)
	s, err := d.Stage(t.Context(), Request{Life: t.Context(), Size: uint64(len(raw))})
	must(t, err)
	must(t, s.Write(raw))
	_, _, err = s.Finish(t.Context())
	must(t, err)
	d.Staging.mu.Lock()
	d.Staging.stage = s // it is over, and not yet noted
	d.Staging.mu.Unlock()
	if ended, err := d.EndStage(t.Context()); ended || err != nil || len(outcome) > 0 {
		t.Errorf("ended is %t, %v, %d were told", ended, err, len(outcome))
	}
}
