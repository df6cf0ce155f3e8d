package selftest

import (
	"context"
	"fmt"
	"time"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
)

// patience bounds each wait of the selftest, for a state, a service or an answer.
const patience = 60 * time.Second

// The sets of the flow, as files in the granted folder, and the service whose version shows which set runs.
const (
	healthySet     = "system-v1.1.0.nxs"
	healthyVersion = "1.1.0"
	brokenSet      = "system-v1.2.0.nxs"
	brokenVersion  = "1.2.0"
	probe          = "hello"

	badSignatureSet = "bad-signature.nxs"
	badDigestSet    = "bad-digest.nxs"
)

// Run runs the whole flow and reports its outcome.
func Run(ctx context.Context, b *vat.Endowments, host plat.Host) error {
	log := logclient.New("selftest", b.Use("LogSink"))
	defer log.Close()
	sets, err := b.Dir(ctx, "sets")
	if err != nil {
		return err
	}
	t := &selftest{
		host: host, log: log, sets: sets,
		endowments: b,
		votes:      b.Use("HealthVote"),
	}
	if err := b.Ready(); err != nil {
		return err
	}
	err = t.flow(ctx)
	if err != nil {
		log.Error("selftest failed", "error", err)
		if markErr := log.Marker(ctx, "SELFTEST: ota failed"); markErr != nil {
			return fmt.Errorf("%w (and its marker: %v)", err, markErr)
		}
	}
	log.Close() // the outcome stops the system, so the log must be flushed first
	if doneErr := t.done(ctx, err == nil); doneErr != nil {
		return doneErr
	}
	<-ctx.Done()
	return err
}

// flow runs all steps in order.
func (t *selftest) flow(ctx context.Context) error {
	// The system as it was found: the set in the factory slot answers and is confirmed.
	start, err := t.confirmStart(ctx)
	if err != nil {
		return err
	}

	// A healthy set: staged, switched to, running, confirmed.
	staged, err := t.stage(ctx, healthySet)
	if err != nil {
		return err
	}
	if err := t.mark(ctx, "SELFTEST: ota stage ok"); err != nil {
		return err
	}
	if err := t.switchTo(ctx, staged); err != nil {
		return err
	}
	if err := t.awaitVersion(ctx, healthyVersion); err != nil {
		return err
	}
	if err := t.mark(ctx, "SELFTEST: ota switch ok"); err != nil {
		return err
	}
	healthy, err := t.confirm(ctx, staged.Slot)
	if err != nil {
		return err
	}

	// A broken set: its service exits, and the system returns to the healthy set by itself.
	broken, err := t.stage(ctx, brokenSet)
	if err != nil {
		return err
	}
	if err := t.switchTo(ctx, broken); err != nil {
		return err
	}
	if err := t.awaitRollback(ctx, healthy, broken); err != nil {
		return err
	}
	if err := t.awaitVersion(ctx, healthyVersion); err != nil {
		return err
	}
	if _, err := t.confirm(ctx, healthy.slot); err != nil {
		return err
	}
	if err := t.refused(ctx, brokenSet, refusal.Quarantined); err != nil {
		return err
	}
	if err := t.mark(ctx, "SELFTEST: ota rollback ok"); err != nil {
		return err
	}

	// Two sets with one wrong bit each: both are refused, each with its reason.
	if err := t.refused(ctx, badSignatureSet, refusal.InvalidSignature); err != nil {
		return err
	}
	if err := t.mark(ctx, "SELFTEST: ota reject signature ok"); err != nil {
		return err
	}
	if err := t.refused(ctx, badDigestSet, refusal.DigestMismatch); err != nil {
		return err
	}
	if err := t.mark(ctx, "SELFTEST: ota reject digest ok"); err != nil {
		return err
	}
	t.log.Info("flow complete", "start", start.version, "end", healthyVersion)
	return nil
}

func (t *selftest) mark(ctx context.Context, line string) error { return t.log.Marker(ctx, line) }
