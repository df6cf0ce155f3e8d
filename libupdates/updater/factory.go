package updater

import (
	"context"
	"io"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/slots"
)

// A FactoryError says that the set the system was told to begin with is refused. Starting again cannot help.
type FactoryError struct{ Err error }

func (e *FactoryError) Error() string { return "cannot install factory set: " + e.Err.Error() }
func (e *FactoryError) Unwrap() error { return e.Err }

// NeedsFactory reports whether neither slot holds a set: at the first start, or when both are lost.
func (e *Engine) NeedsFactory() bool {
	return e.ledger.slots.content(bootctl.A).Digest.IsZero() && e.ledger.slots.content(bootctl.B).Digest.IsZero()
}

// InstallFactory puts the set that the system begins with into slot a, by the same checks as every other set: nothing
// is trusted for having come from the command line. It is refused as a FactoryError.
func (e *Engine) InstallFactory(ctx context.Context, archive io.Reader, size int64) error {
	return e.intake.installFactory(ctx, archive, size)
}

func (in *intake) installFactory(ctx context.Context, archive io.Reader, size int64) error {
	what := Audit{Slot: bootctl.A, Size: uint64(size)}
	err := in.fromStream(archive, size)(ctx, bootctl.A, slots.StageOptions{
		Roots: in.rootsFor(ctx),
		Admit: func(head *nxs.Head) error {
			what.Version, what.Digest = head.Index.SystemVersion, head.Digest
			if err := in.admit(ctx, head); err != nil {
				return err
			}
			if err := in.cfg.fits(ctx, head.Index, Terms{}); err != nil {
				return err
			}
			return in.ledger.Record().AdmitFactory(in.slots.floor.candidate(head.Digest, head.Index))
		},
	})
	in.log.step("factory", what, err)
	if err != nil {
		return &FactoryError{err}
	}
	if err := in.slots.read(); err != nil {
		return err
	}
	set := in.slots.floor.recorded(in.slots.content(bootctl.A))
	return in.ledger.change(func(r bootctl.Record) (bootctl.Record, error) { return r.Factory(set) })
}
