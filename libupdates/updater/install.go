package updater

import (
	"context"
	"io"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/policy"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// An arrival puts an archive into a slot, however it comes.
type arrival func(context.Context, bootctl.Slot, slots.StageOptions) error

// fromStream is an archive whose bytes come one after the other.
func (e *Engine) fromStream(r io.Reader, size int64) arrival {
	return func(ctx context.Context, slot bootctl.Slot, opt slots.StageOptions) error {
		_, err := e.store.Stage(ctx, slot, nxs.NewReader(r, size, e.cfg.Limits, e.verifyBy(ctx)), opt)
		return err
	}
}

// fromFile is an archive in a file, which others may write to: each of its bytes is read once, and trusted when it is
// verified.
func (e *Engine) fromFile(f io.ReaderAt, size int64) arrival {
	return func(ctx context.Context, slot bootctl.Slot, opt slots.StageOptions) error {
		_, err := e.store.StageFile(ctx, slot, f, size, e.cfg.Limits, e.verifyBy(ctx), opt)
		return err
	}
}

// install stages an archive: verified while it is written, durable, and then in the record. The slots keep what they
// hold until a switch.
func (e *Engine) install(ctx context.Context, archive arrival,
	progress Progress) (what Audit, serial uint64, err error) {
	what = Audit{Slot: e.Record().Standby()}
	var set bootctl.Content
	err = archive(ctx, bootctl.Staged, slots.StageOptions{
		Roots: e.rootsFor(ctx),
		Patch: e.patchBy(ctx),
		Admit: func(head *nxs.Head) error {
			what.Version, what.Digest = head.Index.SystemVersion, head.Digest
			if err := e.admitSet(ctx, head); err != nil {
				return err
			}
			set = e.candidate(head.Digest, head.Index)
			err := e.Record().Admit(set)
			// that it is active is said once the whole archive is verified: one that is damaged is refused for that
			if err != nil && refusal.Of(err) != refusal.AlreadyActive {
				return err
			}
			return e.judge(ctx, head.Index)
		},
		AdmitBundle: func(x nxs.Index, m nxb.Manifest) error { return x.CheckDemands(m, nxb.SDK) },
		Verified:    func() error { return e.Record().Admit(set) },
		Progress: func(now slots.Progress) {
			what.Reused = now.Reused
			progress.Report(now)
		},
	})
	e.touched()
	if err != nil {
		return what, 0, err
	}
	if err := e.readSlots(); err != nil {
		return what, 0, err
	}
	err = e.change(func(r bootctl.Record) (next bootctl.Record, err error) {
		next, serial, err = r.Stage(set)
		return next, err
	})
	if r := e.Record(); err == nil && r.Slot(r.Standby()).Digest == set.Digest {
		err = e.acquit(ctx, r.Standby()) // what mended the set has mended the slot
	}
	return what, serial, err
}

// judge decides on what the bundles of a set ask for, all at once and before the first of them is read.
func (e *Engine) judge(ctx context.Context, x nxs.Index) error {
	set := nxs.Asking(x)
	switch {
	case len(set) == 0:
		return nil
	case e.cfg.Judge == nil:
		return policy.Refuse(policy.Policy{}.Decide(policy.Machine{}, x.Publisher, set))
	}
	return e.cfg.Judge(ctx, x.Publisher, set)
}
