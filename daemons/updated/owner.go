package updated

import (
	"context"
	"io"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// Parts are what an Owner is made of.
type Parts struct {
	Clock         plat.Clock
	Log           *logclient.Log
	Verifier      *vat.Holding // keystored's
	SlotPublisher *vat.Holding // bundlemgrd's
	Limits        nxs.Limits   // in bytes
	Tries         uint8        // boot attempts a switched-to slot gets, at least 1
}

// An Owner is this daemon without its wire: the engine that Run serves, whose steps are calls. It is for tests that cut
// the power after every operation of it and need it by the hundred thousand. Its calls are those of the capabilities,
// in their order and with their refusals; like them they may come from any goroutine.
type Owner struct{ engine *engine }

// Own takes up the slots and the record as Run does. An error leaves everything to the next start.
func Own(fs durable.FS, record durable.CellFile, p Parts) (*Owner, error) {
	e := &engine{
		clock: p.Clock, log: p.Log, verifier: p.Verifier, publisher: &publisher{holding: p.SlotPublisher},
		limits: p.Limits, tries: p.Tries,
	}
	if err := e.open(fs, record, nil); err != nil {
		return nil, err
	}
	e.resume()
	return &Owner{e}, nil
}

// LowerFloor lowers the version floor, as UpdateRecovery.lowerFloor does.
func (o *Owner) LowerFloor(version string) error { return o.engine.lowerFloor(version) }

// Record returns the record as it is now.
func (o *Owner) Record() bootctl.Record { return o.engine.snapshot() }

// Begin takes the one place for a stage of so many bytes, as Updated.stageSystem does.
func (o *Owner) Begin(size int64) error { return o.engine.begin(size) }

// Receive brings the archive into the standby slot after a Begin, gives the place back, and returns the number of the
// stage.
func (o *Owner) Receive(ctx context.Context, archive io.Reader, size int64) (serial uint64, err error) {
	defer o.engine.end()
	progress := newProgress(update.StageProgress(capnp.Client{}), size)
	defer progress.close()
	_, serial, err = o.engine.install(ctx, o.engine.snapshot().Standby(), o.engine.fromStream(archive, size), progress)
	return serial, err
}

// Switch puts the stage of that number on trial, as StagedSystem.switch does.
func (o *Owner) Switch(ctx context.Context, serial uint64) error {
	return o.engine.switchTo(ctx, serial)
}

// Discard empties the standby slot, as StagedSystem.discard does.
func (o *Owner) Discard(serial uint64) error { return o.engine.discard(serial) }

// BootAttempt counts an attempt and publishes its slot, as HealthGate.bootAttempt does. unpublished is why the slot
// cannot run; err means that not even the attempt could be counted.
func (o *Owner) BootAttempt(ctx context.Context) (a bootctl.Attempt, unpublished, err error) {
	return o.engine.bootAttempt(ctx, 0)
}

// HealthOK commits the attempt, as HealthGate.healthOk does.
func (o *Owner) HealthOK(boot uint64, watch bool) (watched bool, err error) {
	return o.engine.confirm(boot, watch)
}

// WatchOver ends the watch over the set of the attempt, as HealthGate.watchOver does.
func (o *Owner) WatchOver(boot uint64) error { return o.engine.endWatch(boot) }

// HealthFailed takes the bad verdict on the attempt, as HealthGate.healthFailed does.
func (o *Owner) HealthFailed(boot uint64, reason refusal.Reason, detail string) (bootctl.Verdict, error) {
	return o.engine.fail(context.Background(), boot, reason, detail)
}

// Rollback goes back at an operator's word, as UpdateRecovery.rollback does.
func (o *Owner) Rollback() error { return o.engine.rollback(context.Background()) }

// ClearQuarantine lets a set be tried again, as UpdateRecovery.clearQuarantine does.
func (o *Owner) ClearQuarantine(digest nxs.Digest) error { return o.engine.clearQuarantine(digest) }
