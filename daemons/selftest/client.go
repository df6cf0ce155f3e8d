package selftest

import (
	"context"
	"fmt"
	"time"

	"nexus/capnpgen/service"
	"nexus/capnpgen/update"
	"nexus/capnpgen/vote"
	"nexus/daemons/discovery"
	"nexus/daemons/updateclient"
)

// pollEvery is the pause between two calls to the probe while it answers with another version.
const pollEvery = 50 * time.Millisecond

// updated looks up Updated, and waits while its daemon starts.
func (t *selftest) updated(ctx context.Context) (update.Updated, error) {
	for {
		client, err := discovery.Find(ctx, t.endowments, "Updated")
		if err == nil {
			return update.Updated(client), nil
		}
		if err := t.pause(ctx); err != nil {
			return update.Updated{}, err
		}
	}
}

func (t *selftest) pause(ctx context.Context) error {
	select {
	case <-t.host.Clock.After(pollEvery):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send sends a set to what it is for.
func (t target) send(ctx context.Context, file string) (updateclient.Set, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f, err := t.sets.Open(file)
	if err != nil {
		return updateclient.Set{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return updateclient.Set{}, err
	}
	updated, err := t.open(ctx)
	if err != nil {
		return updateclient.Set{}, err
	}
	defer updated.Release()
	sink := updateclient.StageSystem(ctx, updated, nil, uint64(info.Size()), update.StageProgress{})
	defer sink.Release()
	return sink.Send(ctx, f, nil)
}

// awaitVersion waits until the live probe answers with this version. The answer comes from the running program, not
// from the record.
func (t target) awaitVersion(ctx context.Context, want string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	last := "nothing"
	for {
		got, err := t.askVersion(ctx)
		switch {
		case err == nil && got == want:
			return nil
		case err == nil:
			last = "version " + got
		}
		if t.pause(ctx) != nil {
			return fmt.Errorf("cannot get %s to version %s: last answer %s", t.probe, want, last)
		}
	}
}

func (t target) askVersion(ctx context.Context) (string, error) {
	client, err := discovery.Find(ctx, t.endowments, "bundle/"+t.probe)
	if err != nil {
		return "", err
	}
	defer client.Release()
	answer, release := service.Service(client).Version(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return "", err
	}
	return res.Version()
}

// vote votes on a boot attempt.
func (t *selftest) vote(ctx context.Context, boot uint64, healthy bool, detail string) error {
	client, err := t.votes.Get(ctx)
	if err != nil {
		return err
	}
	defer client.Release()
	answer, release := vote.HealthVote(client).Cast(ctx, func(p vote.HealthVote_cast_Params) error {
		p.SetBoot(boot)
		p.SetHealthy(healthy)
		return p.SetDetail(detail)
	})
	defer release()
	_, err = answer.Struct()
	return err
}

// done reports the outcome to initd.
func (t *selftest) done(ctx context.Context, passed bool) error {
	client, err := t.votes.Get(ctx)
	if err != nil {
		return err
	}
	defer client.Release()
	answer, release := vote.HealthVote(client).Done(ctx, func(p vote.HealthVote_done_Params) error {
		p.SetPassed(passed)
		return nil
	})
	defer release()
	_, err = answer.Struct()
	return err
}

// state queries the current state.
func (t target) state(ctx context.Context) (updateclient.Status, error) {
	updated, err := t.open(ctx)
	if err != nil {
		return updateclient.Status{}, err
	}
	defer updated.Release()
	return updateclient.Get(ctx, update.UpdateStatus(updated))
}

// await polls until the state is as wanted. It does not subscribe, because it must keep working across restarts of
// updated.
func (t target) await(ctx context.Context, what string, wanted func(updateclient.Status) bool) (updateclient.Status,
	error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		s, err := t.state(ctx)
		if err == nil && wanted(s) {
			return s, nil
		}
		if t.pause(ctx) != nil {
			return s, fmt.Errorf("cannot reach %s within %s", what, patience)
		}
	}
}
