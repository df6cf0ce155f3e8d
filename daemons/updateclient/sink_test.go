package updateclient_test

import (
	"bytes"
	"context"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
	"nexus/daemons/updateclient"
	"nexus/libupdates/refusal"
)

// A refuser is a capability whose answers are there at once, and are refusals.
type refuser struct {
	capnp.ClientHook
	t *testing.T
}

func (r refuser) Send(_ context.Context, s capnp.Send) (*capnp.Answer, capnp.ReleaseFunc) {
	_, segment := capnp.NewSingleSegmentMessage(nil)
	res, err := update.NewRootUpdated_stageSystem_Results(segment)
	if err != nil {
		r.t.Fatal(err)
	}
	why, err := res.NewRefusal()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := why.SetReason(string(refusal.StageInProgress)); err != nil {
		r.t.Fatal(err)
	}
	return capnp.ImmediateAnswer(s.Method, res.ToPtr()), func() {}
}

func (refuser) Brand() capnp.Brand { return capnp.Brand{} }
func (refuser) Shutdown()          {}
func (refuser) String() string     { return "refuser" }

// TestAStageThatIsRefusedAtOnce sends an archive to a sink that was never there: its answer overtook the first byte.
func TestAStageThatIsRefusedAtOnce(t *testing.T) {
	facet := update.Updated(capnp.NewClient(refuser{t: t}))
	defer facet.Release()
	sink := updateclient.StageSystem(t.Context(), facet, nil, 100, update.StageProgress{})
	defer sink.Release()
	_, err := sink.Send(t.Context(), bytes.NewReader(make([]byte, 100)), nil)
	if refusal.Of(err) != refusal.StageInProgress {
		t.Errorf("got %v, want %s", err, refusal.StageInProgress)
	}
}
