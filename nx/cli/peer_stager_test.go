package cli_test

import (
	"context"
	"errors"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/operator"
	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
)

// Stage hands out UpdateStage, as no peer did at first.
func (o *peerOperator) Stage(_ context.Context, call operator.Operator_stage) error {
	o.p.mu.Lock()
	older, withheld := o.p.older, o.p.withheld
	o.p.mu.Unlock()
	switch {
	case older:
		return capnp.Unimplemented("stage")
	case withheld:
		return convert.Except(refusal.New(refusal.NotGranted, "this Operator was made without stage"))
	}
	return vat.Give(call.AllocResults, operator.Operator_stage_Results.SetStage,
		update.UpdateStage_ServerToClient(&peerStager{o.p}))
}

func (*peerOperator) Attenuate(context.Context, operator.Operator_attenuate) error {
	return errors.New("not asked")
}

// A peerStager is UpdateStage of the peer.
type peerStager struct{ p *peer }

func (s *peerStager) Stage(_ context.Context, call update.UpdateStage_stage) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	if refused, err := s.p.refused("stageSystem", res.NewRefusal); refused || err != nil {
		return err
	}
	sink := &peerSink{p: s.p, size: call.Args().SizeBytes(), progress: call.Args().Progress().AddRef()}
	sink.stages = true
	return res.SetSink(update.StageSink_ServerToClient(sink))
}

func (*peerStager) App(context.Context, update.UpdateStage_app) error {
	return capnp.Unimplemented("app")
}

func (s *peerStager) UntilEnded(ctx context.Context, call update.UpdateStage_untilEnded) error {
	call.Go()
	<-ctx.Done()
	return ctx.Err()
}

func (s *peerStager) Held(_ context.Context, call update.UpdateStage_held) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	list, err := res.NewPayloads(int32(len(s.p.held)))
	for i := 0; err == nil && i < len(s.p.held); i++ {
		err = list.Set(i, s.p.held[i])
	}
	return err
}

// stage stages the set, for slot b.
func (p *peer) stage() {
	p.change(func(s *peerState) {
		s.staged = bootrecord.Slot_staged
		s.sets[bootrecord.Slot_staged] = peerSet{version: "1.2.0", digest: 0xcc, bundles: []string{"hello", "ticker"}}
	})
}

func (p *peer) fillStaged(m update.StagedInfo) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	set := p.state.sets[bootrecord.Slot_staged]
	m.SetSlot(bootrecord.Slot_b)
	return errors.Join(m.SetSystemVersion(set.version), m.SetIndexSha256(digest(set.digest)),
		set.fillBundles(m.NewBundles))
}

// The peer is a system that takes bytes and no files, and makes no links, as all were at first.

func (*peerOperator) Link(context.Context, operator.Operator_link) error {
	return capnp.Unimplemented("link")
}

func (*peerSink) File(context.Context, update.StageSink_file) error {
	return capnp.Unimplemented("file")
}

func (*peerSink) Reuse(context.Context, update.StageSink_reuse) error { return errors.New("not asked") }

func (*peerSink) Patch(context.Context, update.StageSink_patch) error { return errors.New("not asked") }

func (*peerSink) Stream(context.Context, update.StageSink_stream) error {
	return errors.New("not asked")
}
