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

// An intake puts archives into slots, with all that is asked of a set before it is there. Each of its calls has the
// place of a stage.
type intake struct {
	ledger    *ledger
	inspector *inspector
	slots     *inventory
	log       journal
	cfg       *Config
}

// An arrival puts an archive into a slot, however it comes.
type arrival func(context.Context, bootctl.Slot, slots.StageOptions) error

// fromStream is an archive whose bytes come one after the other.
func (in *intake) fromStream(r io.Reader, size int64) arrival {
	return func(ctx context.Context, slot bootctl.Slot, opt slots.StageOptions) error {
		_, err := in.slots.store.Stage(ctx, slot, nxs.NewReader(r, size, in.cfg.Limits, in.cfg.Verify.by(ctx)), opt)
		return err
	}
}

// fromFile is an archive in a file, which others may write to: each of its bytes is read once, and trusted when it is
// verified.
func (in *intake) fromFile(f io.ReaderAt, size int64) arrival {
	return func(ctx context.Context, slot bootctl.Slot, opt slots.StageOptions) error {
		_, err := in.slots.store.StageFile(ctx, slot, f, size, in.cfg.Limits, in.cfg.Verify.by(ctx), opt)
		return err
	}
}

// install stages an archive: verified while it is written, durable, and then in the record. The slots keep what they
// hold until a switch.
func (in *intake) install(ctx context.Context, archive arrival, terms Terms,
	progress Progress) (what Audit, serial uint64, err error) {
	what = Audit{Slot: in.ledger.Record().Standby()}
	var set bootctl.Content
	verified := false // then it takes the place of what was staged
	data := &dataCheck{}
	err = archive(ctx, bootctl.Staged, slots.StageOptions{
		Roots: in.rootsFor(ctx),
		Patch: in.cfg.Patch.by(ctx),
		Admit: func(head *nxs.Head) error {
			what.Version, what.Digest = head.Index.SystemVersion, head.Digest
			set = in.slots.floor.candidate(head.Digest, head.Index)
			if err := in.mayStage(ctx, head, set, terms); err != nil {
				return err
			}
			if err := data.begin(head.Index); err != nil {
				return err
			}
			return in.judge(ctx, head.Index)
		},
		AdmitBundle: data.admit,
		Verified: func() error {
			err := data.check()
			if err == nil {
				err = in.ledger.Record().Admit(set)
			}
			verified = err == nil
			return err
		},
		Progress: func(now slots.Progress) {
			what.Reused = now.Reused
			progress.Report(now)
		},
	})
	in.slots.touched()
	if err == nil {
		serial, err = in.recordStage(ctx, set)
	}
	if err != nil && verified {
		in.ledger.superseded()
	}
	return what, serial, err
}

// mayStage asks whether a set may be staged, once its whole archive is verified.
func (in *intake) mayStage(ctx context.Context, head *nxs.Head, set bootctl.Content, terms Terms) error {
	if err := in.admit(ctx, head); err != nil {
		return err
	}
	err := in.ledger.Record().Admit(set)
	// that it is active is said once the whole archive is verified: one that is damaged is refused for that
	if err != nil && refusal.Of(err) != refusal.AlreadyActive {
		return err
	}
	return in.cfg.fits(ctx, head.Index, terms)
}

// A dataCheck checks that what the bundles of a set read is data of the same set.
type dataCheck struct {
	asking []policy.Asking
	is     map[string]bool // bundles, by whether they are data
}

// begin refuses, as NoSuchData, what the index shows.
func (c *dataCheck) begin(x nxs.Index) error {
	c.asking, c.is = nxs.Asking(x), map[string]bool{}
	return policy.CheckData(c.asking, x.Has)
}

// admit takes in the manifest of a bundle, and checks it.
func (c *dataCheck) admit(x nxs.Index, m nxb.Manifest) error {
	c.is[m.Name] = m.IsData()
	return x.CheckDemands(m, nxb.SDK)
}

// check refuses, as NoSuchData, what the manifests show.
func (c *dataCheck) check() error {
	return policy.CheckData(c.asking, func(name string) bool { return c.is[name] })
}

// recordStage puts what was staged into the record.
func (in *intake) recordStage(ctx context.Context, set bootctl.Content) (serial uint64, err error) {
	if err := in.slots.read(); err != nil {
		return 0, err
	}
	err = in.ledger.change(func(r bootctl.Record) (next bootctl.Record, err error) {
		next, serial, err = r.Stage(set)
		return next, err
	})
	if r := in.ledger.Record(); err == nil && r.Slot(r.Standby()).Digest == set.Digest {
		err = in.inspector.acquit(ctx, r.Standby()) // what mended the set has mended the slot
	}
	return serial, err
}

// admit asks whether a set may be installed anew.
func (in *intake) admit(ctx context.Context, head *nxs.Head) error {
	if in.cfg.Admission == nil {
		return nil
	}
	return in.cfg.Admission.Admit(ctx, head.Raw, head.Proof())
}

// rootsFor takes the roots of a set.
func (in *intake) rootsFor(ctx context.Context) nxs.RootsFunc {
	if in.cfg.Admission == nil {
		return nil
	}
	return func(raw []byte) error { return in.cfg.Admission.TakeRoots(ctx, raw, in.ledger.installed()) }
}

// judge decides on what the bundles of a set ask for, all at once and before the first of them is read.
func (in *intake) judge(ctx context.Context, x nxs.Index) error {
	set := nxs.Asking(x)
	switch {
	case len(set) == 0:
		return nil
	case in.cfg.Judge == nil:
		return policy.Refuse(policy.Policy{}.Decide(policy.Machine{}, x.Publisher, set))
	}
	return in.cfg.Judge(ctx, x.Publisher, set)
}
