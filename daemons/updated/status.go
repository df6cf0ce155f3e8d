package updated

import (
	"context"
	"errors"
	"strings"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/bundlestate"
	"nexus/libupdates/nxs"
	"nexus/libupdates/slots"
	"nexus/libupdates/updater"
)

// maxFollows bounds the observers of one client.
const maxFollows = 4

// A statusServer is the UpdateStatus of one client: it looks, and changes nothing.
type statusServer struct {
	*service
	follows *vat.Quota
}

// GetStatus tells the state now.
func (s *statusServer) GetStatus(_ context.Context, call update.UpdateStatus_getStatus) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	m, err := res.NewStatus()
	if err != nil {
		return err
	}
	return fillStatus(m, s.engine)
}

// History tells what happened.
func (s *statusServer) History(_ context.Context, call update.UpdateStatus_history) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	events := s.engine.Record().History
	list, err := res.NewEvents(int32(len(events)))
	if err != nil {
		return err
	}
	for i, event := range events {
		if err := setEvent(list.At(i), event); err != nil {
			return err
		}
	}
	return nil
}

// Follow tells an observer of each change, the newest state only.
func (s *statusServer) Follow(_ context.Context, call update.UpdateStatus_follow) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	observer := call.Args().Observer().AddRef()
	tell := func(ctx context.Context) (more bool, err error) { return false, s.tell(ctx, observer) }
	subscription, err := vat.Feed{Changed: s.changed, Quota: s.follows}.Follow(capnp.Client(observer), tell)
	if err != nil {
		return err
	}
	return res.SetSubscription(update.StatusSubscription_ServerToClient(subscription))
}

func fillStatus(m update.Status, engine *updater.Engine) error {
	now := engine.Status()
	r := now.Record
	staged := bootctl.None
	if !r.Staged.IsEmpty() {
		staged = bootctl.Staged
	}

	m.SetActive(convert.Slot(r.Active))
	m.SetPending(convert.Slot(r.Pending))
	m.SetStaged(convert.Slot(staged))
	m.SetTriesLeft(r.TriesLeft)
	m.SetHealthOk(r.HealthOK)
	m.SetPersistent(engine.Persistent())
	m.SetBoot(r.Boot)
	m.SetStaging(now.Staging)
	m.SetStagingDoneBytes(uint64(now.Stage.DoneBytes))
	m.SetStagingTotalBytes(uint64(now.Size))
	m.SetWatched(r.WatchLeft > 0)
	m.SetBootCause(convert.Cause(r.BootCause))
	m.SetAbruptEnds(r.AbruptEnds)
	m.SetPauseMs(uint32(r.Pause() / time.Millisecond))
	m.SetStage(r.StageSerial)
	return errors.Join(
		m.SetVersionFloor(r.Floor), m.SetCore(now.Core), setSlot(m.NewSlotA, r.Slot(bootctl.A), now.Contents[0]),
		setSlot(m.NewSlotB, r.Slot(bootctl.B), now.Contents[1]), setSlot(m.NewStagedSet, r.Staged, now.Contents[2]),
		setQuarantine(m, r.Quarantine), setRollback(m, r.LastRollback),
	)
}

func setSlot(make func() (update.SlotStatus, error), c bootctl.Content, disk slots.Content) error {
	m, err := make()
	if err != nil {
		return err
	}
	content, err := m.NewContent()
	if err != nil {
		return err
	}
	content.SetGood(c.Good)
	m.SetKept(!disk.Digest.IsZero() && disk.Unkept == "")
	return errors.Join(
		content.SetIndexSha256(convert.Digest(nxs.Digest(c.Digest))), content.SetSystemVersion(c.Version),
		content.SetVersionFloor(c.Floor), content.SetDamage(string(c.Damage)), m.SetUnkept(disk.Unkept),
		setBundles(m.NewBundles, disk.Bundles),
	)
}

func setBundles(make func(int32) (update.BundleRef_List, error), bundles []nxs.Entry) error {
	list, err := make(int32(len(bundles)))
	if err != nil {
		return err
	}
	for i, b := range bundles {
		if err := errors.Join(list.At(i).SetName(b.Name), list.At(i).SetVersion(b.Version)); err != nil {
			return err
		}
		identity := bundlestate.IdentityOf(b)
		if err := list.At(i).SetIdentity(identity[:]); err != nil {
			return err
		}
	}
	return nil
}

func setQuarantine(m update.Status, quarantine []bootctl.Quarantined) error {
	list, err := m.NewQuarantine(int32(len(quarantine)))
	if err != nil {
		return err
	}
	for i, q := range quarantine {
		if err := errors.Join(list.At(i).SetIndexSha256(q.Digest[:]),
			list.At(i).SetSystemVersion(q.Version), list.At(i).SetReason(string(q.Reason))); err != nil {
			return err
		}
	}
	return nil
}

func setRollback(m update.Status, last *bootctl.Rollback) error {
	if last == nil {
		return nil
	}
	r, err := m.NewLastRollback()
	if err != nil {
		return err
	}
	return errors.Join(
		r.SetReason(string(last.Reason)), r.SetDetail(last.Detail), r.SetIndexSha256(last.Digest[:]),
		setLines(r.NewOutput, last.Output), setLines(r.NewRefused, last.Refused), r.SetSystemVersion(last.Version),
	)
}

// setLines sets a list of texts from their lines.
func setLines(make func(int32) (capnp.TextList, error), joined string) error {
	if joined == "" {
		return nil
	}
	return vat.SetTexts(make, strings.Split(joined, "\n"))
}

func setEvent(m bootrecord.Event, e bootctl.Event) error {
	m.SetSlot(convert.Slot(e.Slot))
	m.SetBoot(e.Boot)
	m.SetUnixMs(e.UnixMs)
	return errors.Join(
		m.SetDetail(e.Detail), m.SetOp(string(e.Op)), m.SetSystemVersion(e.Version),
		m.SetIndexSha256(convert.Digest(nxs.Digest(e.Digest))), m.SetReason(string(e.Reason)),
	)
}

// tell sends the status to an observer.
func (s *service) tell(ctx context.Context, observer update.StatusObserver) error {
	answer, release := observer.OnChanged(ctx, func(p update.StatusObserver_onChanged_Params) error {
		m, err := p.NewStatus()
		if err != nil {
			return err
		}
		return fillStatus(m, s.engine)
	})
	defer release()
	_, err := answer.Struct()
	return err
}
