package fetchd

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
	"nexus/daemons/updateclient"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
	"nexus/oci"
)

// Bounds of going on after an interruption.
const (
	maxIdle = 10 // attempts in a row in which hardly anything came
	// how many bytes further than before an attempt has to get to count as one in which something came
	leastProgress = 256 << 10
)

// A job fetches one set, in as many attempts as that takes.
type job struct {
	*client
	ref      oci.Reference
	progress update.StageProgress
	app      *updateclient.App // the package of apps that the set is for; nil: it is for the system

	watch    func() // begins to wait until an operator ends stages, once
	named    bool   // the registry has named the set
	again    bool   // a set was refused that was made with what the device has
	attempts int
	fetched  int64            // bytes that came from the registry
	patched  uint64           // bytes of payloads that patches made
	whole    map[string]error // bundles that were fetched although there are patches for them, and why
	reached  int64            // how far an attempt got, in bytes that were reused or fetched
	furthest int64            // how far one got when something came the last time
}

// run makes attempts until one succeeds, or fails for good, or an operator ends the stage.
func (j *job) run(ctx context.Context) (updateclient.Set, error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	j.watch = sync.OnceFunc(func() { go j.untilEnded(ctx, end) })
	if j.app == nil {
		j.watch() // before anybody has named the set; which app it is has to be known first
	}
	for idle := 0; ; {
		set, err := j.attempt(ctx)
		j.attempts++
		if j.reached >= j.furthest+leastProgress {
			idle, j.furthest = 0, j.reached
		}
		if err != nil && ctx.Err() != nil {
			return set, gone(ctx)
		}
		if idle++; err == nil || !j.passes(err) || idle > maxIdle {
			return set, err
		}
		pause := min(j.pace.Pause<<idle, 2*j.pace.MaxPause)
		j.log.Warn("fetch interrupted", "reference", j.ref.String(), "reason", refusal.Of(err), "error", err,
			"fetched", j.fetched, "pause", pause)
		select {
		case <-j.clock.After(pause):
		case <-ctx.Done():
			return updateclient.Set{}, gone(ctx)
		}
	}
}

// untilEnded ends the job when an operator ends stages of what the set is for.
func (j *job) untilEnded(ctx context.Context, end context.CancelCauseFunc) {
	j.stager.Each(ctx, func(instance context.Context, facet capnp.Client) {
		stager, err := j.stageFor(instance, update.UpdateStage(facet))
		if err == nil {
			err = updateclient.UntilEnded(instance, stager, j.operator)
			stager.Release()
		}
		if instance.Err() == nil && !vat.Disconnected(err) {
			end(err)
		}
	})
}

// gone returns why a fetch ended early: an operator ended it, or whoever asked for it went away.
func gone(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != context.Canceled {
		return cause
	}
	return refusal.New(refusal.Cancelled, "whoever asked for it went away")
}

// passes reports whether the next attempt may succeed. A registry that has not named the set is not waited for.
func (j *job) passes(err error) bool {
	if !j.named {
		return false
	}
	if vat.Disconnected(err) {
		return true
	}
	switch refusal.Of(err) {
	case refusal.RegistryUnavailable, refusal.Stalled, refusal.Disconnected:
		return true
	case refusal.StageInProgress: // of our own stage, which was interrupted
		return j.attempts > 1
	}
	return false
}

// attempt fetches the set, except for what the device has of it.
func (j *job) attempt(ctx context.Context) (updateclient.Set, error) {
	client, err := j.access.client(j.ref, j.pace)
	if err != nil {
		return updateclient.Set{}, err
	}
	registry, err := client.Fetch(ctx)
	if err != nil {
		return updateclient.Set{}, err
	}
	if err := j.name(registry); err != nil {
		return updateclient.Set{}, err
	}
	stager, err := j.waitFor(ctx)
	if err != nil {
		return updateclient.Set{}, err
	}
	defer stager.Release()
	j.watch()
	sink, err := updateclient.ResumeStage(ctx, stager, j.operator, uint64(registry.Size), j.progress.AddRef())
	if err != nil {
		return updateclient.Set{}, err
	}
	defer sink.Release()
	p := j.patches(registry, stager)
	t := newTransfer(ctx, registry, &stage{ctx: ctx, sink: sink, holding: j.stager}, p)
	defer t.close()
	set, err := t.run()
	came := t.archive.Fetched + p.fetched
	j.fetched, j.patched = j.fetched+came, j.patched+p.made
	j.reached = came + int64(t.reused)
	if err != nil && ctx.Err() == nil && !j.passes(err) {
		_, _ = sink.Done(ctx) // it is not complete: nothing of it is kept
	}
	if failed := p.failed(err); !j.again && ctx.Err() == nil &&
		(failed || refusal.Of(err) == refusal.DigestMismatch && t.reused > 0) {
		j.again = true // what was reused or patched may be at fault, and is gone
		j.log.Warn("fetch begins anew, without patches", "reference", j.ref.String(), "reason", refusal.Of(err),
			"error", err)
		return j.attempt(ctx)
	}
	return set, err
}

// patches returns the patches of an attempt; none after one has failed.
func (j *job) patches(set *oci.Set, stager update.UpdateStage) *patches {
	if j.whole == nil {
		j.whole = map[string]error{}
	}
	p := &patches{set: set, whole: j.whole,
		held: func(ctx context.Context) ([]bootctl.Digest, error) { return updateclient.Held(ctx, stager) },
		warn: func(text string, fields ...any) {
			j.log.Warn(text, append(fields, "reference", j.ref.String())...)
		}}
	p.looked = j.again
	return p
}

// stagerPatience is how long updated may take to be there, a restart included.
const stagerPatience = 30 * time.Second

func (j *job) waitFor(ctx context.Context) (update.UpdateStage, error) {
	bounded, cancel := context.WithTimeout(ctx, stagerPatience)
	defer cancel()
	client, err := j.stager.Get(bounded)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		err = refusal.New(refusal.Disconnected, "updated does not run")
	}
	if err != nil {
		return update.UpdateStage{}, err
	}
	defer client.Release()
	return j.stageFor(ctx, update.UpdateStage(client))
}

// report logs how the fetch ended.
func (j *job) report(set updateclient.Set, err error) {
	if err != nil {
		j.log.Warn("fetch failed", "reference", j.ref.String(), "reason", refusal.Of(err), "error", err,
			"fetched", j.fetched, "attempts", j.attempts)
		return
	}
	j.log.Info("fetched", "reference", j.ref.String(), "version", set.Version, "fetched", j.fetched,
		"reused", set.Reused, "patched", j.patched, "attempts", j.attempts)
	for _, bundle := range slices.Sorted(maps.Keys(j.whole)) {
		err := j.whole[bundle]
		j.log.Info("fetched whole, not patched", "reference", j.ref.String(), "bundle", bundle,
			"reason", refusal.Of(err), "error", err)
	}
}
