package cli

import (
	"context"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"

	"nexus/capnpgen/update"
	"nexus/daemons/updateclient"
)

// An opening begins a stage for an archive of that many bytes, of whose progress the observer is told.
type opening func(ctx context.Context, sizeBytes uint64, progress update.StageProgress) (*updateclient.Sink, error)

// toSwitch begins a stage whose outcome can be switched to.
func (s *session) toSwitch(ctx context.Context, sizeBytes uint64,
	progress update.StageProgress) (*updateclient.Sink, error) {
	link, updated, err := direct(ctx, s, "updated", s.updated)
	if err != nil {
		progress.Release()
		return nil, err
	}
	defer updated.Release()
	return updateclient.StageSystem(ctx, updated, link, sizeBytes, progress)
}

// toStage begins a stage by the facet that can stage and no more. A system that does not know it yet is asked for the
// other one.
func (s *session) toStage(ctx context.Context, sizeBytes uint64,
	progress update.StageProgress) (*updateclient.Sink, error) {
	link, stager, err := direct(ctx, s, "stage", s.stager)
	if exc.IsType(err, exc.Unimplemented) {
		return s.toSwitch(ctx, sizeBytes, progress)
	}
	if err != nil {
		progress.Release()
		return nil, err
	}
	defer stager.Release()
	return updateclient.Stage(ctx, stager, link, sizeBytes, progress)
}

// direct returns the facet of a method over a link of our own to its daemon, or by the method itself where there can be
// none. The caller releases the facet; the session closes the link.
func direct[T ~capnp.ClientKind](ctx context.Context, s *session, method string,
	relayed func(context.Context) (T, error)) (*updateclient.Link, T, error) {
	if s.in.remote.To == "" { // no descriptor comes over the network, and asking for one takes a round trip
		if link := updateclient.Direct(ctx, s.operator, s.files, method); link != nil {
			s.links = append(s.links, link)
			return link, T(link.Facet.AddRef()), nil
		}
	}
	facet, err := relayed(ctx)
	return nil, facet, err
}
