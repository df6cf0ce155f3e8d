package selftest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"nexus/capnpgen/service"
	"nexus/capnpgen/update"
	"nexus/capnpgen/vote"
	"nexus/daemons/convert"
	"nexus/daemons/discovery"
)

// chunk is the size of one write while a set is sent, in bytes.
const chunk = 256 << 10

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

// send stages a set.
func (t *selftest) send(ctx context.Context, file string) (stagedSet, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f, err := t.sets.Open(file)
	if err != nil {
		return stagedSet{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return stagedSet{}, err
	}
	updated, err := t.updated(ctx)
	if err != nil {
		return stagedSet{}, err
	}
	defer updated.Release()
	answer, release := updated.StageSystem(ctx, func(p update.Updated_stageSystem_Params) error {
		p.SetSizeBytes(uint64(info.Size()))
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return stagedSet{}, err
	}
	if err := convert.Refused(res.Refusal()); err != nil {
		return stagedSet{}, err
	}
	// After a failed call of a stream, the library fails all later calls of that client. done() explains the failure,
	// so it needs a client of its own.
	sink := res.Sink().AddRef()
	defer sink.Release()
	sendErr := pour(ctx, sink, f)
	staged, err := finish(ctx, res.Sink())
	if err == nil && sendErr != nil {
		err = sendErr
	}
	return staged, err
}

// pour writes everything into the sink. An error may be a refusal, whose reason the sink's done() returns.
func pour(ctx context.Context, sink update.StageSink, r io.Reader) error {
	buf := make([]byte, chunk)
	for {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			if err := sink.Write(ctx,
				func(p update.StageSink_write_Params) error { return p.SetBytes(buf[:n]) }); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return sink.WaitStreaming()
		case err != nil:
			return err
		}
	}
}

func finish(ctx context.Context, sink update.StageSink) (stagedSet, error) {
	answer, release := sink.Done(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return stagedSet{}, err
	}
	if err := convert.Refused(res.Refusal()); err != nil {
		return stagedSet{}, err
	}
	return describe(ctx, res.System().AddRef())
}

// describe takes ownership of the system and returns its description.
func describe(ctx context.Context, system update.StagedSystem) (stagedSet, error) {
	answer, release := system.Describe(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		system.Release()
		return stagedSet{}, err
	}
	info, err := res.System()
	if err != nil {
		return stagedSet{}, err
	}
	version, err := info.SystemVersion()
	if err != nil {
		return stagedSet{}, err
	}
	digest, err := info.IndexSha256()
	return stagedSet{slot: info.Slot(), version: version, digest: bytes.Clone(digest), system: system}, err
}

// awaitVersion waits until the live probe answers with this version. The answer comes from the running program, not
// from the record.
func (t *selftest) awaitVersion(ctx context.Context, want string) error {
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
			return fmt.Errorf("cannot get %s to version %s: last answer %s", probe, want, last)
		}
	}
}

func (t *selftest) askVersion(ctx context.Context) (string, error) {
	client, err := discovery.Find(ctx, t.endowments, "bundle/"+probe)
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
