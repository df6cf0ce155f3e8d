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
		apps:       b.Use("AppInstaller"),
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
	system := target{t, t.updated, probe, true}
	// The system as it was found: the set in the factory slot answers and is confirmed.
	start, err := system.confirmStart(ctx)
	if err != nil {
		return err
	}
	head, _, err := t.head(ctx)
	if err != nil {
		return err
	}
	healthy, err := system.update(ctx)
	if err != nil {
		return err
	}
	if err := system.fail(ctx, healthy); err != nil {
		return err
	}
	for _, step := range []step{
		{"SELFTEST: ota reject signature ok", func() error {
			return system.refused(ctx, badSignatureSet, refusal.InvalidSignature)
		}},
		{"SELFTEST: ota reject digest ok", func() error {
			return system.refused(ctx, badDigestSet, refusal.DigestMismatch)
		}},
	} {
		if err := t.take(ctx, step); err != nil {
			return err
		}
	}
	if err := t.flowOfApp(ctx); err != nil {
		return err
	}
	verify := step{"SELFTEST: journal verify ok", func() error { return t.verifyJournal(ctx, head) }}
	if err := t.take(ctx, verify); err != nil {
		return err
	}
	t.log.Info("flow complete", "start", start.version, "end", healthyVersion)
	return nil
}

// A step is what is done, and the marker that says that it went as it should.
type step struct {
	marker string
	do     func() error
}

func (t *selftest) take(ctx context.Context, s step) error {
	if err := s.do(); err != nil {
		return err
	}
	return t.mark(ctx, s.marker)
}

// update stages a healthy set, switches to it, and sees it run and confirmed.
func (t target) update(ctx context.Context) (healthy running, err error) {
	staged, err := t.stage(ctx, healthySet)
	if err != nil {
		return running{}, err
	}
	if err := t.mark(ctx, "SELFTEST: ota stage ok"); err != nil {
		return running{}, err
	}
	if err := switchTo(ctx, staged); err != nil {
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
func (t target) fail(ctx context.Context, healthy running) error {
	broken, err := t.returns(ctx, brokenSet, healthy)
	if err != nil {
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
