package bundlemgrd

import (
	"context"
	"os"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/daemons/blob"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
)

// errUnknownBundle is the answer for names that are not published.
var errUnknownBundle = convert.Except(refusal.New(refusal.UnknownBundle, "no published bundle has this name"))

// Quotas of one client.
const (
	maxBlobs   = 64
	maxWatches = 64
)

// A manager is one client's BundleMgr.
type manager struct {
	shelf   *shelf
	hand    func(*os.File) error // sends an open file with the next answer; nil: it cannot
	blobs   *vat.Quota
	watches *vat.Quota
}

func newManager(s *shelf, hand func(*os.File) error) *manager {
	return &manager{shelf: s, hand: hand, blobs: vat.NewQuota("blobs", maxBlobs), watches: vat.NewQuota("watches", maxWatches)}
}

// List returns the current publication.
func (m *manager) List(_ context.Context, call bundle.BundleMgr_list) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	list, err := res.NewPublication()
	if err != nil {
		return err
	}
	return m.shelf.now().fill(list)
}

// Query describes one published bundle.
func (m *manager) Query(_ context.Context, call bundle.BundleMgr_query) error {
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	_, b, found := m.shelf.now().find(name)
	res.SetFound(found)
	if !found {
		return nil
	}
	answer, err := res.NewBundle()
	if err != nil {
		return err
	}
	return b.fill(answer)
}

// OpenPayload opens the payload of a published bundle.
func (m *manager) OpenPayload(_ context.Context, call bundle.BundleMgr_openPayload) error {
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	b, err := m.open(name, payloadOf)
	if err != nil {
		return err
	}
	return vat.Give(call.AllocResults, bundle.BundleMgr_openPayload_Results.SetBlob, bundle.Blob_ServerToClient(b))
}

// OpenManifest opens the raw manifest of a published bundle.
func (m *manager) OpenManifest(_ context.Context, call bundle.BundleMgr_openManifest) error {
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	b, err := m.open(name, manifestOf)
	if err != nil {
		return err
	}
	return vat.Give(call.AllocResults, bundle.BundleMgr_openManifest_Results.SetBlob, bundle.Blob_ServerToClient(b))
}

// HandPayload hands over the payload of a published bundle. The file is opened anew, so that whoever gets it shares
// nothing but its bytes with others.
func (m *manager) HandPayload(_ context.Context, call bundle.BundleMgr_handPayload) error {
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	p, b, found := m.shelf.now().find(name)
	if !found {
		return errUnknownBundle
	}
	payload, err := p.set.OpenPayload(name)
	if err != nil {
		return convert.Except(err)
	}
	defer payload.Close()
	file := durable.Opened(payload)
	res.SetHanded(file != nil && m.hand != nil && m.hand(file) == nil)
	return res.SetSha256(b.Entry.PayloadSHA256[:])
}

// open opens a file of a published bundle as a blob, within the client's quota.
func (m *manager) open(name string, file opener) (*blob.Blob, error) {
	p, b, found := m.shelf.now().find(name)
	if !found {
		return nil, errUnknownBundle
	}
	if err := m.blobs.Take(); err != nil {
		return nil, err
	}
	opened, err := file(p, b)
	if err != nil {
		m.blobs.Give()
		return nil, convert.Except(err)
	}
	opened.Closed = m.blobs.Give
	return opened, nil
}

// Watch subscribes an observer to publications.
func (m *manager) Watch(_ context.Context, call bundle.BundleMgr_watch) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	observer := call.Args().Observer().AddRef()
	w := &watch{shelf: m.shelf, observer: observer}
	subscription, err := vat.Feed{Changed: m.shelf.changed, Quota: m.watches}.Follow(capnp.Client(observer), w.tell)
	if err != nil {
		return err
	}
	return res.SetSubscription(bundle.PublicationSubscription_ServerToClient(subscription))
}
