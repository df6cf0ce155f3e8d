package updateclient

import (
	"context"
	"errors"

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
		return errors.Join(p.SetReference(reference), p.SetProgress(progress))
	})
	defer release()
	res, err := convert.Outcome(answer.Struct())
	if err != nil {
		return Set{}, Fetched{}, err
	}
	return readFetched(res)
}

// FetchApp is Fetch for a set of apps. It returns the name of their package as well; the app's own is not used.
func FetchApp(ctx context.Context, facet fetch.AppFetcher, reference string, app App,
	progress update.StageProgress) (name string, set Set, fetched Fetched, err error) {
	answer, release := facet.Fetch(ctx, func(p fetch.AppFetcher_fetch_Params) error {
		p.SetUpgrade(app.Upgrade)
		p.SetOlder(app.Older)
		return errors.Join(p.SetReference(reference), p.SetProgress(progress))
	})
	defer release()
	res, err := convert.Outcome(answer.Struct())
	if err != nil {
		return "", Set{}, Fetched{}, err
	}
	if set, fetched, err = readFetched(res); err == nil {
		name, err = res.App()
	}
	return name, set, fetched, err
}

// results are those of a fetch, of whatever sets.
type results interface {
	Staged() (update.StagedInfo, error)
	Unpatched() (fetch.Unpatched_List, error)
	ReusedBytes() uint64
	FetchedBytes() uint64
	PatchedBytes() uint64
}

func readFetched(res results) (set Set, fetched Fetched, err error) {
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
