package updateclient

import (
	"context"

	"nexus/capnpgen/fetch"
	"nexus/capnpgen/update"
	"nexus/daemons/convert"
)

// A Fetched says what a fetch cost, and why it did not cost less.
type Fetched struct {
	Bytes, Patched uint64
	Unpatched      []Unpatched
}

// An Unpatched is a bundle that was fetched although there are patches for it.
type Unpatched struct {
	Bundle string
	Why    error // a refusal
}

// Fetch has a set fetched from a registry and staged. It takes ownership of progress, which may be null. The set has no
// power to switch.
func Fetch(ctx context.Context, facet fetch.Fetcher, reference string, progress update.StageProgress) (set Set,
	fetched Fetched, err error) {
	answer, release := facet.Fetch(ctx, func(p fetch.Fetcher_fetch_Params) error {
		if err := p.SetReference(reference); err != nil {
			return err
		}
		return p.SetProgress(progress)
	})
	defer release()
	res, err := convert.Outcome(answer.Struct())
	if err != nil {
		return Set{}, Fetched{}, err
	}
	set, err = readSet(res.Staged())
	set.Reused = res.ReusedBytes()
	fetched = Fetched{Bytes: res.FetchedBytes(), Patched: res.PatchedBytes()}
	if err == nil {
		fetched.Unpatched, err = readUnpatched(res.Unpatched())
	}
	return set, fetched, err
}

// readUnpatched takes what the getter of a message returns.
func readUnpatched(list fetch.Unpatched_List, err error) ([]Unpatched, error) {
	if err != nil {
		return nil, err
	}
	var all []Unpatched
	for i := range list.Len() {
		bundle, err := list.At(i).Bundle()
		if err != nil {
			return nil, err
		}
		all = append(all, Unpatched{bundle, convert.Refused(list.At(i).Refusal())})
	}
	return all, nil
}
