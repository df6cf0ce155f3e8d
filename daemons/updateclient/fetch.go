package updateclient

import (
	"context"

	"nexus/capnpgen/fetch"
	"nexus/capnpgen/update"
	"nexus/daemons/convert"
)

// Fetch has a set fetched from a registry and staged. It takes ownership of progress, which may be null. The set has no
// power to switch.
func Fetch(ctx context.Context, facet fetch.Fetcher, reference string, progress update.StageProgress) (set Set,
	fetched uint64, err error) {
	answer, release := facet.Fetch(ctx, func(p fetch.Fetcher_fetch_Params) error {
		if err := p.SetReference(reference); err != nil {
			return err
		}
		return p.SetProgress(progress)
	})
	defer release()
	res, err := convert.Outcome(answer.Struct())
	if err != nil {
		return Set{}, 0, err
	}
	set, err = readSet(res.Staged())
	set.Reused = res.ReusedBytes()
	return set, res.FetchedBytes(), err
}
