package cli

import (
	"context"
	"errors"
	"strings"

	"capnproto.org/go/capnp/v3/exc"

	"nexus/capnpgen/update"
	"nexus/daemons/updateclient"
	"nexus/libupdates/refusal"
	"nexus/libupdates/semver"
)

// registryScheme begins the name of a set in a registry.
const registryScheme = "oci://"

// inRegistry reports whether the name of a set is that of one in a registry.
func inRegistry(name string) bool { return strings.HasPrefix(name, registryScheme) }

// maxFetches is how often a fetch is begun: again when fetchd has ended under it.
const maxFetches = 5

// A fetching asks once for a fetch, of whose progress the observer is told.
type fetching func(context.Context, update.StageProgress) (updateclient.Set, updateclient.Fetched, error)

// fetch has the system fetch a set and stage it. It returns the set as described by the system, without the power to
// switch to it.
func (v fullFlag) fetch(ctx context.Context, s *session, reference string) (set staged, err error) {
	if v.Full != "" {
		return staged{}, wrongUsage("--full goes with a delta, and %s is a set", reference)
	}
	set, err = fetchBy(ctx, s, reference, func(ctx context.Context, progress update.StageProgress) (updateclient.Set,
		updateclient.Fetched, error) {
		fetcher, done := s.fetcher(ctx)
		defer done()
		return updateclient.Fetch(ctx, fetcher, reference, progress)
	})
	if err == nil {
		return set, nil
	}
	if err = whatBecame(ctx, s, err); errors.Is(err, context.Canceled) {
		err = &failure{text: "interrupted", reason: refusal.Cancelled,
			hint: "what came is kept: the next fetch of this set goes on from there, `NX discard` drops it"}
	}
	return staged{}, err
}

// fetchBy asks for a fetch, and again when fetchd has ended under it.
func fetchBy(ctx context.Context, s *session, reference string, ask fetching) (set staged, err error) {
	show := s.in.progress(reference)
	defer show.end()
	for n := 1; ; n++ {
		set, err = fetchOnce(ctx, s, ask, show)
		if !lost(err) || ctx.Err() != nil || n == maxFetches || !s.answers(ctx) {
			return set, err
		}
		s.in.note("fetchd ended, and was started again: the fetch goes on")
	}
}

func fetchOnce(ctx context.Context, s *session, ask fetching, show progress) (staged, error) {
	found, fetched, err := ask(ctx, update.StageProgress_ServerToClient(&progressServer{show}))
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case exc.IsType(err, exc.Unimplemented):
		err = refusal.New(refusal.NotGranted, "this system fetches nothing of that kind: it is older than this nx")
	}
	set, err := stagedOf(found, err)
	set.FetchedBytes, set.PatchedBytes = &fetched.Bytes, fetched.Patched
	for _, u := range fetched.Unpatched {
		s.in.note("%s is fetched whole: %s", u.Bundle, refusal.DetailOf(u.Why))
		set.Unpatched = append(set.Unpatched, unpatched{u.Bundle, string(refusal.Of(u.Why)), refusal.DetailOf(u.Why)})
	}
	return set, err
}

// fetchToSwitch is fetch for a set that can be switched to. A set that is older than the one that runs is dropped,
// unless that is wanted.
func (v *updateVerb) fetchToSwitch(ctx context.Context, s *session) (staged, error) {
	fetched, err := v.fetch(ctx, s, v.File)
	if err != nil {
		return staged{}, err
	}
	updated, done := s.updated(ctx)
	defer done()
	set, err := stagedSet(ctx, updated)
	if err != nil {
		return staged{}, err
	}
	if err = set.isFrom(fetched); err == nil {
		if err = v.older(ctx, s, set); err != nil {
			_ = set.Discard(ctx) // the refusal is what counts
		}
	}
	if err != nil {
		set.System.Release()
		return staged{}, err
	}
	return set, nil
}

// isFrom notes what the fetch of the set cost. It fails if another one was staged meanwhile.
func (s *staged) isFrom(fetched staged) error {
	s.ReusedBytes, s.FetchedBytes = fetched.ReusedBytes, fetched.FetchedBytes
	s.PatchedBytes, s.Unpatched = fetched.PatchedBytes, fetched.Unpatched
	if s.IndexSHA256 != fetched.IndexSHA256 {
		return refusal.New(refusal.Superseded, "another set was staged meanwhile")
	}
	return nil
}

// older refuses a set that is older than the one that runs, unless that is wanted.
func (v *updateVerb) older(ctx context.Context, s *session, set staged) error {
	now, err := readState(ctx, &s.facets)
	if err != nil || v.Downgrade {
		return err
	}
	return notOlder(now, set.SystemVersion)
}

// notOlder refuses a version that is older than the one that runs.
func notOlder(now state, version string) error {
	runs := now.slot(now.ActiveSlot).SystemVersion
	if runs == nil || !semver.Valid(*runs) || semver.Compare(version, *runs) >= 0 {
		return nil
	}
	return refusal.New(refusal.Downgrade, "%s is older than %s, which runs", version, *runs)
}
