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
		journal:    b.Use("Journal"),
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
	head, _, err := t.head(ctx)
	if err != nil {
		return err
	}
	healthy, err := t.update(ctx)
	if err != nil {
		return err
	}
	if err := t.fail(ctx, healthy); err != nil {
		return err
	}
	for _, damaged := range []struct {
		set, marker string
		reason      refusal.Reason
	}{
		{badSignatureSet, "SELFTEST: ota reject signature ok", refusal.InvalidSignature},
		{badDigestSet, "SELFTEST: ota reject digest ok", refusal.DigestMismatch},
	} {
		if err := t.refused(ctx, damaged.set, damaged.reason); err != nil {
			return err
		}
		if err := t.mark(ctx, damaged.marker); err != nil {
			return err
		}
	}
	if err := t.verifyJournal(ctx, head); err != nil {
		return err
	}
	if err := t.mark(ctx, "SELFTEST: journal verify ok"); err != nil {
		return err
	}
	t.log.Info("flow complete", "start", start.version, "end", healthyVersion)
	return nil
}

// update stages a healthy set, switches to it, and sees it run and confirmed.
func (t *selftest) update(ctx context.Context) (healthy running, err error) {
	staged, err := t.stage(ctx, healthySet)
	if err != nil {
		return running{}, err
	}
	if err := t.mark(ctx, "SELFTEST: ota stage ok"); err != nil {
		return running{}, err
	}
	if err := t.switchTo(ctx, staged); err != nil {
		return running{}, err
	}
	if err := t.awaitVersion(ctx, healthyVersion); err != nil {
		return running{}, err
	}
	if err := t.mark(ctx, "SELFTEST: ota switch ok"); err != nil {
		return running{}, err
	}
	return t.confirm(ctx, staged.Slot)
}

// fail switches to a broken set, whose service exits, and sees the system return to the healthy one by itself.
func (t *selftest) fail(ctx context.Context, healthy running) error {
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
	if err := t.crashReported(ctx, broken.Digest); err != nil {
		return err
	}
	return t.mark(ctx, "SELFTEST: crash report ok")
}

func (t *selftest) mark(ctx context.Context, line string) error { return t.log.Marker(ctx, line) }
