package cli_test

import (
	"context"
	"errors"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/update"
)

// A peerUpdated is Updated and UpdateRecovery of the peer.
type peerUpdated struct{ p *peer }

func (u *peerUpdated) GetStatus(_ context.Context, call update.UpdateStatus_getStatus) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	m, err := res.NewStatus()
	if err != nil {
		return err
	}
	return u.p.fill(m)
}

func (u *peerUpdated) History(_ context.Context, call update.UpdateStatus_history) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	events, err := res.NewEvents(2)
	if err != nil {
		return err
	}
	stage, rollback := events.At(0), events.At(1)
	stage.SetSlot(bootrecord.Slot_b)
	stage.SetBoot(1)
	rollback.SetSlot(bootrecord.Slot_b)
	rollback.SetBoot(3)
	u.p.set(func(p *peer) { stage.SetUnixMs(p.times[0]); rollback.SetUnixMs(p.times[1]) })
	return errors.Join(
		stage.SetOp("stage"), stage.SetSystemVersion("1.2.0"), stage.SetIndexSha256(digest(0xcc)),
		rollback.SetOp("rollback"), rollback.SetSystemVersion("1.2.0"), rollback.SetIndexSha256(digest(0xcc)),
		rollback.SetReason("service-exited"),
	)
}

type peerSubscription struct{ p *peer }

func (s *peerSubscription) Shutdown() {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if o, follows := s.p.observers[s]; follows {
		o.Release()
	}
	delete(s.p.observers, s)
}

func (u *peerUpdated) Follow(_ context.Context, call update.UpdateStatus_follow) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	s := &peerSubscription{u.p}
	observer := call.Args().Observer()
	u.p.mu.Lock()
	u.p.observers[s] = observer.AddRef()
	u.p.mu.Unlock()
	u.p.followed <- struct{}{}
	go u.p.tell(observer.AddRef())
	return res.SetSubscription(update.StatusSubscription_ServerToClient(s))
}

func (u *peerUpdated) StageSystem(_ context.Context, call update.Updated_stageSystem) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	if refused, err := u.p.refused("stageSystem", res.NewRefusal); refused || err != nil {
		return err
	}
	sink := &peerSink{p: u.p, size: call.Args().SizeBytes(), progress: call.Args().Progress().AddRef()}
	return res.SetSink(update.StageSink_ServerToClient(sink))
}

func (u *peerUpdated) Staged(_ context.Context, call update.Updated_staged) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	if refused, err := u.p.refused("staged", res.NewRefusal); refused || err != nil {
		return err
	}
	return res.SetSystem(update.StagedSystem_ServerToClient(&peerStaged{u.p}))
}

func (u *peerUpdated) Rollback(_ context.Context, call update.UpdateRecovery_rollback) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	if refused, err := u.p.refused("rollback", res.NewRefusal); refused || err != nil {
		return err
	}
	u.p.change(func(s *peerState) { s.active, s.pending, s.healthy = bootrecord.Slot_b, bootrecord.Slot_none, false })
	u.p.mu.Lock()
	sick := u.p.sick
	u.p.mu.Unlock()
	if !sick {
		go u.p.change(func(s *peerState) { s.healthy = true })
	}
	return nil
}

func (u *peerUpdated) ClearQuarantine(_ context.Context, call update.UpdateRecovery_clearQuarantine) error {
	raw, err := call.Args().IndexSha256()
	if err != nil {
		return err
	}
	first := raw[0]
	u.p.change(func(s *peerState) {
		var rest []peerRollback
		for _, q := range s.quarantine {
			if q.digest != first {
				rest = append(rest, q)
			}
		}
		s.quarantine = rest
	})
	_, err = call.AllocResults()
	return err
}

func (u *peerUpdated) LowerFloor(_ context.Context, call update.UpdateRecovery_lowerFloor) error {
	version, err := call.Args().SystemVersion()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	if refused, err := u.p.refused("lowerFloor", res.NewRefusal); refused || err != nil {
		return err
	}
	u.p.change(func(s *peerState) { s.floor = version })
	return nil
}

func (u *peerUpdated) EndStage(_ context.Context, call update.UpdateRecovery_endStage) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	u.p.set(func(p *peer) {
		res.SetEnded(p.underWay)
		p.underWay = false
	})
	return nil
}

func (u *peerUpdated) Scrub(_ context.Context, call update.UpdateRecovery_scrub) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	if refused, err := u.p.refused("scrub", res.NewRefusal); refused || err != nil {
		return err
	}
	list, err := res.NewSlots(2)
	if err != nil {
		return err
	}
	u.p.mu.Lock()
	defer u.p.mu.Unlock()
	for i, slot := range []bootrecord.Slot{bootrecord.Slot_a, bootrecord.Slot_b} {
		list.At(i).SetSlot(slot)
		if err := list.At(i).SetSystemVersion(u.p.state.sets[slot].version); err != nil {
			return err
		}
	}
	if found := u.p.found; found[0] != "" {
		return errors.Join(list.At(1).SetReason(found[0]), list.At(1).SetDetail(found[1]))
	}
	if u.p.state.damage == "" {
		return nil
	}
	if err := list.At(1).SetReason(u.p.state.damage); err != nil {
		return err
	}
	return list.At(1).SetDetail("digest mismatch in hello.nxb/payload.elf")
}

// A peerSink takes an archive in.
type peerSink struct {
	p        *peer
	size     uint64
	got      uint64
	progress update.StageProgress
	done     bool
	stages   bool // and no more: it yields no StagedSystem
}

func (k *peerSink) Write(ctx context.Context, call update.StageSink_write) error {
	piece, err := call.Args().Bytes()
	if err != nil {
		return err
	}
	return k.take(ctx, piece, call.Go)
}

// take takes the next piece; letNext lets the piece after it come.
func (k *peerSink) take(ctx context.Context, piece []byte, letNext func()) error {
	k.p.will(func(p *peer) func(*peer) { return p.onWrite })()
	k.p.mu.Lock()
	k.p.received.Write(piece)
	k.got = uint64(k.p.received.Len())
	got := k.got
	refuseAt := k.p.refuseAt
	k.p.mu.Unlock()
	letNext() // only now: what came next may not overtake this piece
	if refuseAt != 0 && got >= uint64(refuseAt) {
		return errors.New("the stage was refused")
	}
	return k.report(ctx, got)
}

// report tells how far the stage is. It waits for the answer no longer than its caller lives: this is a call back over
// the caller's own connection, and the library does not take that down before the methods called over it have returned.
func (k *peerSink) report(ctx context.Context, got uint64) error {
	tacit := false
	k.p.set(func(p *peer) { tacit = p.tacit })
	if !k.progress.IsValid() || tacit && got > k.size/2 {
		return nil
	}
	answer, release := k.progress.OnProgress(ctx, func(p update.StageProgress_onProgress_Params) error {
		m, err := p.NewProgress()
		if err != nil {
			return err
		}
		m.SetDoneBytes(got)
		m.SetTotalBytes(k.size)
		return nil
	})
	go func() {
		<-answer.Done()
		release()
	}()
	select {
	case <-answer.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *peerSink) Done(_ context.Context, call update.StageSink_done) error {
	k.done = true
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	if refused, err := k.p.refused("done", res.NewRefusal); refused || err != nil {
		return err
	}
	k.p.stage()
	older := false
	k.p.set(func(p *peer) { older = p.older })
	if !older {
		m, err := res.NewStaged()
		if err == nil {
			err = k.p.fillStaged(m)
		}
		if err != nil || k.stages {
			return err
		}
	}
	return res.SetSystem(update.StagedSystem_ServerToClient(&peerStaged{k.p}))
}

func (k *peerSink) Shutdown() {
	k.progress.Release()
	if !k.done {
		k.p.discarded <- struct{}{}
	}
}

// A peerStaged is the staged set.
type peerStaged struct{ p *peer }

func (s *peerStaged) Describe(_ context.Context, call update.StagedSystem_describe) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	m, err := res.NewSystem()
	if err != nil {
		return err
	}
	return s.p.fillStaged(m)
}

func (s *peerStaged) Switch(_ context.Context, call update.StagedSystem_switch) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	if refused, err := s.p.refused("switch", res.NewRefusal); refused || err != nil {
		return err
	}
	s.p.change(func(state *peerState) {
		state.pending, state.staged, state.tries, state.healthy = bootrecord.Slot_b, bootrecord.Slot_none, 2, false
		state.sets[bootrecord.Slot_b] = state.sets[bootrecord.Slot_staged]
		delete(state.sets, bootrecord.Slot_staged)
	})
	go s.p.will(func(p *peer) func(*peer) { return p.onSwitch })()
	return nil
}

func (s *peerStaged) Discard(_ context.Context, call update.StagedSystem_discard) error {
	_, err := call.AllocResults()
	s.p.change(func(state *peerState) {
		state.staged = bootrecord.Slot_none
		delete(state.sets, bootrecord.Slot_staged)
	})
	return err
}
