package fetchd

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"nexus/capnpgen/fetch"
	"nexus/capnpgen/keystore"
	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/updateclient"
	"nexus/daemons/vat"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/oci"
)

const (
	maxReference = 1024        // bytes
	turnPatience = time.Second // how long a fetch waits for the end of another
)

// A server is what the Fetchers of all clients share.
type server struct {
	log    *logclient.Log
	clock  plat.Clock
	stager *vat.Holding
	access access
	pace   oci.Pace
	turn   chan struct{} // holds a token while a fetch is running
}

// A client is the Fetcher of one client.
type client struct {
	*server
	operator bool // it may switch to what is fetched for it
}

// Fetch fetches a set. It ends with its call.
func (s *client) Fetch(ctx context.Context, call fetch.Fetcher_fetch) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	reference, err := call.Args().Reference()
	if err != nil {
		return err
	}
	progress := call.Args().Progress().AddRef()
	defer progress.Release()
	call.Go()
	return s.serve(ctx, &job{client: s, progress: progress}, reference, res)
}

// results are those of a fetch, of whatever sets.
type results interface {
	NewRefusal() (keystore.Refusal, error)
	NewStaged() (update.StagedInfo, error)
	NewUnpatched(int32) (fetch.Unpatched_List, error)
	SetReusedBytes(uint64)
	SetFetchedBytes(uint64)
	SetPatchedBytes(uint64)
}

// serve runs a job when its turn comes, and fills in what it brought.
func (s *client) serve(ctx context.Context, j *job, reference string, res results) error {
	var err error
	if j.ref, err = parse(reference); err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-s.clock.After(turnPatience): // the other may have been about to end
		return convert.Refuse(res.NewRefusal, refusal.New(refusal.StageInProgress, "another set is being fetched"))
	case <-ctx.Done():
		return ctx.Err()
	}
	set, err := j.run(ctx)
	j.report(set, err)
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	res.SetReusedBytes(set.Reused)
	res.SetFetchedBytes(uint64(j.fetched))
	res.SetPatchedBytes(j.patched)
	return errors.Join(setUnpatched(res.NewUnpatched, j.whole), setStaged(res.NewStaged, set))
}

// setUnpatched fills in which bundles were fetched whole although there are patches for them.
func setUnpatched(make func(int32) (fetch.Unpatched_List, error), whole map[string]error) error {
	list, err := make(int32(len(whole)))
	if err != nil {
		return err
	}
	for i, bundle := range slices.Sorted(maps.Keys(whole)) {
		err := errors.Join(list.At(i).SetBundle(bundle), convert.Refuse(list.At(i).NewRefusal, whole[bundle]))
		if err != nil {
			return err
		}
	}
	return nil
}

func parse(text string) (oci.Reference, error) {
	if len(text) > maxReference {
		return oci.Reference{}, refusal.New(refusal.BadReference, "a reference of %d bytes is over the limit of %d",
			len(text), maxReference)
	}
	return oci.Parse(text)
}

// setStaged fills in what is staged, given the method that makes it.
func setStaged(make func() (update.StagedInfo, error), set updateclient.Set) error {
	info, err := make()
	if err != nil {
		return err
	}
	info.SetSlot(convert.Slot(set.Slot))
	err = errors.Join(info.SetSystemVersion(set.Version), info.SetIndexSha256(convert.Digest(nxs.Digest(set.Digest))))
	if err != nil {
		return err
	}
	list, err := info.NewBundles(int32(len(set.Bundles)))
	for i := 0; err == nil && i < len(set.Bundles); i++ {
		b, to := set.Bundles[i], list.At(i)
		err = errors.Join(to.SetName(b.Name), to.SetVersion(b.Version), to.SetIdentity(b.Identity[:]))
	}
	return err
}
