package packagefsd

import (
	"context"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/packagefs"
	"nexus/daemons/vat"
	"nexus/libupdates/nxb"
)

// patience bounds the time that one call waits for bundlemgrd, including a restart of it.
const patience = 10 * time.Second

// Bounds on the calls that run at a time, and so on the pieces of files in memory. Other calls wait. A client's calls
// wait for its own first, so that a client never waits for more than two calls of any other.
const (
	maxTurns = 8 // of all clients
	maxOwn   = 2 // of one client, running or next
)

// A view answers one client's calls from what bundlemgrd has published.
type view struct {
	bundles *vat.Holding
	turns   chan struct{} // holds one token per running call
	own     chan struct{} // one token per call of this client, running or next
}

func newView(bundles *vat.Holding) *view {
	return (&view{bundles: bundles, turns: make(chan struct{}, maxTurns)}).forClient()
}

// forClient returns a view for another client that shares the turns.
func (v *view) forClient() *view {
	return &view{bundles: v.bundles, turns: v.turns, own: make(chan struct{}, maxOwn)}
}

// An info is packagefs.FileInfo as a value.
type info struct {
	name string
	kind packagefs.FileType
	size uint64
}

// ask runs f with BundleMgr, and again with the next instance if bundlemgrd restarts during f.
func (v *view) ask(ctx context.Context, f func(context.Context, bundle.BundleMgr) error) error {
	for _, turns := range []chan struct{}{v.own, v.turns} {
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return v.bundles.Call(ctx, func(client capnp.Client) error { return f(ctx, bundle.BundleMgr(client)) })
}

// find looks up a bundle's directory and returns its entries: the manifest, then the payload.
func find(ctx context.Context, m bundle.BundleMgr, path, name string) ([]info, error) {
	answer, release := m.Query(ctx, func(p bundle.BundleMgr_query_Params) error { return p.SetName(name) })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	if !res.Found() {
		return nil, noSuchFile(path)
	}
	b, err := res.Bundle()
	if err != nil {
		return nil, err
	}
	return []info{
		{nxb.ManifestFile, packagefs.FileType_file, b.ManifestSize()},
		{nxb.PayloadFile, packagefs.FileType_file, b.PayloadSize()},
	}, nil
}

// root returns one directory per published bundle.
func root(ctx context.Context, m bundle.BundleMgr) ([]info, error) {
	answer, release := m.List(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	publication, err := res.Publication()
	if err != nil {
		return nil, err
	}
	bundles, err := publication.Bundles()
	if err != nil {
		return nil, err
	}
	entries := make([]info, bundles.Len())
	for i := range entries {
		name, err := bundles.At(i).Name()
		if err != nil {
			return nil, err
		}
		entries[i] = info{name: name, kind: packagefs.FileType_directory}
	}
	return entries, nil
}

// open opens a file as a blob, and returns a function that releases it.
func open(ctx context.Context, m bundle.BundleMgr, at place) (bundle.Blob, func(), error) {
	if at.file == nxb.ManifestFile {
		answer, release := m.OpenManifest(ctx,
			func(p bundle.BundleMgr_openManifest_Params) error { return p.SetName(at.bundle) })
		res, err := answer.Struct()
		if err != nil {
			release()
			return bundle.Blob{}, nil, err
		}
		return res.Blob(), release, nil
	}
	answer, release := m.OpenPayload(ctx,
		func(p bundle.BundleMgr_openPayload_Params) error { return p.SetName(at.bundle) })
	res, err := answer.Struct()
	if err != nil {
		release()
		return bundle.Blob{}, nil, err
	}
	return res.Blob(), release, nil
}
