package cli

import (
	"context"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"

	"nexus/capnpgen/update"
	"nexus/daemons/updateclient"
)

// An opening begins a stage for an archive of that many bytes, of whose progress the observer is told.
type opening func(ctx context.Context, sizeBytes uint64, progress update.StageProgress) *updateclient.Sink

// toSwitch begins a stage whose outcome can be switched to.
func toSwitch(s *session) opening {
	return func(ctx context.Context, sizeBytes uint64, progress update.StageProgress) *updateclient.Sink {
		link, updated, done := direct(ctx, s, "updated", s.updated)
		defer done()
		return updateclient.StageSystem(ctx, updated, link, sizeBytes, progress)
	}
}

// toUpdate is toSwitch with the switch itself.
func toUpdate(s *session) opening {
	return func(ctx context.Context, sizeBytes uint64, progress update.StageProgress) *updateclient.Sink {
		sink := toSwitch(s)(ctx, sizeBytes, progress)
		sink.ThenSwitch()
		return sink
	}
}

// toStage begins a stage by the facet that can stage and no more. A system that does not know it yet is asked for the
// other one.
func toStage(s *session) opening {
	return func(ctx context.Context, sizeBytes uint64, progress update.StageProgress) *updateclient.Sink {
		link, stager, done := direct(ctx, s, "stage", s.stager)
		defer done()
		sink := updateclient.Stage(ctx, stager, link, sizeBytes, progress.AddRef())
		if exc.IsType(sink.Begun(), exc.Unimplemented) {
			sink.Release()
			return toSwitch(s)(ctx, sizeBytes, progress)
		}
		progress.Release()
		return sink
	}
}

// direct returns the facet of a method over a link of our own to its daemon, or by the method itself where there can be
// none. The caller calls the function that comes with it; the session closes the link.
func direct[T ~capnp.ClientKind](ctx context.Context, s *session, method string,
	relayed func(context.Context) (T, capnp.ReleaseFunc)) (*updateclient.Link, T, capnp.ReleaseFunc) {
	if s.in.remote.To == "" { // no descriptor comes over the network, and asking for one takes a round trip
		if link := updateclient.Direct(ctx, s.operator, s.files, method); link != nil {
			s.links = append(s.links, link)
			return link, T(link.Facet), func() {}
		}
	}
	facet, done := relayed(ctx)
	return nil, facet, done
}
