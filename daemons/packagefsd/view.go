package packagefsd

import (
	"context"
	"slices"
	"strings"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/packagefs"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/powers"
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
	all     bool   // it shows the files of all bundles
	bundle  string // else those of this bundle and of its data bundles; empty: none
	bundles *vat.Holding
	turns   chan struct{} // holds one token per running call
	own     chan struct{} // one token per call of this client, running or next
	payload payload
}

func newView(bundles *vat.Holding) *view {
	quota := vat.NewQuota("payloads", maxPayloads)
	return (&view{bundles: bundles, turns: make(chan struct{}, maxTurns), payload: payload{quota: quota}}).forClient("")
}

// forClient returns a view for another client that shares the turns. A bundle sees less, and whoever is not known sees
// nothing: a bundle may have come by samgrd, which does not say who asks.
func (v *view) forClient(name string) *view {
	bundle := bundleOf(name)
	return &view{all: name != "" && bundle == "", bundle: bundle, bundles: v.bundles, turns: v.turns,
		own: make(chan struct{}, maxOwn), payload: payload{quota: v.payload.quota}}
}

// bundleOf returns the bundle that a client is, and "" for others. Clients that are programs of a bundle are called
// `bundle:NAME`, and a mark follows the name if the program runs on demand or the runner holds the link for it.
func bundleOf(client string) string {
	name, is := strings.CutPrefix(client, "bundle:")
	if !is {
		return ""
	}
	if end := strings.IndexAny(name, "#@"); end >= 0 {
		name = name[:end]
	}
	return name
}

// sees returns which bundles the client may see.
func (v *view) sees(ctx context.Context, m bundle.BundleMgr) (func(name string) bool, error) {
	if v.all || v.bundle == "" {
		return func(string) bool { return v.all }, nil
	}
	var asks []string
	_, err := query(ctx, m, v.bundle, nothing, func(b bundle.Bundle) error {
		list, err := b.Capabilities()
		if err == nil {
			asks, err = vat.Texts(list)
		}
		return err
	})
	return func(name string) bool {
		return name == v.bundle || slices.Contains(asks, powers.Power{Kind: powers.Data, Name: name}.String())
	}, err
}

// query looks up a bundle and reports whether it is published. It calls meanwhile while it waits for the answer.
func query(ctx context.Context, m bundle.BundleMgr, name string, meanwhile func(),
	use func(bundle.Bundle) error) (bool, error) {
	answer, release := m.Query(ctx, func(p bundle.BundleMgr_query_Params) error { return p.SetName(name) })
	defer release()
	meanwhile()
	res, err := answer.Struct()
	if err != nil || !res.Found() {
		return false, err
	}
	b, err := res.Bundle()
	if err == nil {
		err = use(b)
	}
	return true, err
}

// An info is packagefs.FileInfo as a value.
type info struct {
	name   string
	kind   packagefs.FileType
	size   uint64
	digest nxs.Digest // of a payload
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

// nothing is what to do while waiting for an answer, if there is nothing to do.
func nothing() {}

// find looks up a bundle's directory and returns its entries: the manifest, then the payload. It calls meanwhile once,
// unless the client does not see the bundle, while it waits for the answer.
func (v *view) find(ctx context.Context, m bundle.BundleMgr, path, name string,
	meanwhile func()) (files []info, err error) {
	sees, err := v.sees(ctx, m)
	if err != nil {
		return nil, err
	}
	if !sees(name) {
		return nil, noSuchFile(path) // as for a name that nothing has
	}
	found, err := query(ctx, m, name, meanwhile, func(b bundle.Bundle) error {
		files = []info{
			{name: nxb.ManifestFile, kind: packagefs.FileType_file, size: b.ManifestSize()},
			{name: nxb.PayloadFile, kind: packagefs.FileType_file, size: b.PayloadSize()},
		}
		sum, err := b.PayloadSha256()
		files[1].digest = convert.DigestOf(sum)
		return err
	})
	if err == nil && !found {
		err = noSuchFile(path)
	}
	return files, err
}

// root returns one directory per published bundle, of the system and of apps, that the client may see.
func (v *view) root(ctx context.Context, m bundle.BundleMgr) ([]info, error) {
	sees, err := v.sees(ctx, m)
	if err != nil {
		return nil, err
	}
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
	apps, err := publication.Apps()
	if err != nil {
		return nil, err
	}
	entries, err := directories(publication)
	for i := 0; i < apps.Len() && err == nil; i++ {
		var more []info
		more, err = directories(apps.At(i))
		entries = append(entries, more...)
	}
	entries = slices.DeleteFunc(entries, func(one info) bool { return !sees(one.name) })
	slices.SortFunc(entries, func(a, b info) int { return strings.Compare(a.name, b.name) })
	return entries, err
}

// directories are those of the bundles of one publication.
func directories(publication bundle.Publication) ([]info, error) {
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
