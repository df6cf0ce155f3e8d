package chaos_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"path"
	"slices"
	"strings"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/updater"
)

// recordFile is the file with the device's boot record, beside the slots.
const recordFile = "record"

// A kind says where a device keeps its boot record, and whether its file system has fs-verity.
type kind string

const (
	inMemory kind = "memory" // in PID 1: lost in a power cut, but not with updated
	onDisk   kind = "disk"
	onVerity kind = "verity" // like onDisk; the file system got fs-verity after the device was delivered
	keeping  kind = "state"  // like onDisk; the state of its service is there, too
)

func kinds() []kind { return []kind{inMemory, onDisk, onVerity, keeping} }

// lasts reports whether the record outlives a power cut.
func (k kind) lasts() bool { return k != inMemory }

// A device is the slots, the record and the engine that owns them; the test plays PID 1. Each command updates the set
// of states that may be true afterwards.
type device struct {
	*bench
	kind   kind
	disk   *durabletest.Disk
	engine *updater.Engine // nil while updated is down

	may      beliefs
	around   beliefs        // states before, during and after the last completed command
	watches  bool           // PID 1 watches what it confirms
	boot     uint64         // the newest attempt number that was acknowledged and survives a cut
	given    uint64         // the attempt number that PID 1 got last; 0 after a restart of the machine
	sending  *updater.Stage // the current stage; nil: none
	runs     updater.Publication
	past     int      // operations on earlier disks of this device
	names    []string // of these operations
	changed  []int    // those that changed something
	cut      int      // the power is cut after so many operations in all; negative: never
	attempts int      // since the last command or start
	fault    fault
	doubt    bool // a command failed: the next one first writes the record again
	broken   []violation
	left     legacy
}

// meetsDamage reports whether the fault was a failed read of a payload that the kernel verifies. That counts as damage,
// and TestExchangedPayloads is about it.
func (d *device) meetsDamage() bool {
	all := append(slices.Clone(d.names), d.disk.Ops()...)
	if d.kind != onVerity || d.fault.at < 1 || d.fault.at > len(all) {
		return false
	}
	op := all[d.fault.at-1]
	return strings.HasPrefix(op, "read ") && strings.HasSuffix(op, "/"+nxb.PayloadFile)
}

// dead reports whether the power was cut or updated was killed, which ends the flow.
func (d *device) dead() bool { return d.disk.MetCut() }

// operations returns the number of operations so far.
func (d *device) operations() int { return d.past + len(d.disk.Ops()) }

// changes returns the numbers of the operations so far that changed something.
func (d *device) changes() []int {
	all := d.changed
	for _, n := range d.disk.Changes() {
		all = append(all, d.past+n)
	}
	return all
}

// take gives the device a disk, with the planned power cut and fault.
func (d *device) take(disk *durabletest.Disk) {
	if d.disk != nil {
		d.changed = d.changes()
		d.names = append(d.names, d.disk.Ops()...)
		d.past = d.operations()
	}
	d.disk = disk
	if d.cut >= 0 {
		disk.CutAfter(d.cut - d.past)
	}
	d.fault.arm(d)
}

// fillFactorySlot writes the factory set into slot a.
func (d *device) fillFactorySlot() error {
	store, err := slots.Open(d.disk)
	if err != nil {
		return err
	}
	raw := d.library.archives[factory]
	reader := nxs.NewReader(bytes.NewReader(raw), int64(len(raw)), d.config.Limits, verify)
	_, err = store.Stage(context.Background(), bootctl.A, reader, slots.StageOptions{})
	return err
}

// start starts updated on the current disk. Its state must be one of the expected ones.
func (d *device) start(expected beliefs) error {
	if err := d.open(); err != nil {
		return err
	}
	d.check(startIsExpected(expected, d.see()))
	d.check(d.numbersAreKept())
	d.may, d.around = beliefs{d.see()}, nil
	return nil
}

// open starts updated on the current disk.
func (d *device) open() error {
	d.abandon()
	d.engine, d.doubt, d.attempts = nil, false, 0
	file, err := d.disk.CellFile(recordFile)
	if err != nil {
		return err
	}
	d.bench.device = d
	config := d.config
	config.Slots, config.Record = d.disk, file
	d.engine, err = updater.Open(config)
	return err
}

// see returns the state that the running updated works with.
func (d *device) see() belief {
	r := d.engine.Record()
	b := belief{active: d.version(r.Slot(r.Active)), other: d.version(r.Slot(r.Standby())), serial: r.StageSerial,
		tries: r.TriesLeft, watch: r.WatchLeft}
	b.otherGood = r.Slot(r.Standby()).Good
	b.trial, b.staged = r.Pending != bootctl.None, d.version(r.Staged)
	for _, q := range r.Quarantine {
		b.barred += q.Version + ","
	}
	return b
}

func (d *device) version(c bootctl.Content) string {
	if c.IsEmpty() {
		return ""
	}
	if v, known := d.library.versions[nxs.Digest(c.Digest)]; known {
		return v
	}
	return "unknown " + c.Version
}

// command runs one command and checks its result against its rule.
func (d *device) command(name string, r rule, do func() error) error {
	if d.dead() {
		return durabletest.ErrCut
	}
	done, open, refusals := d.may.follow(r)
	before, settled := d.trace(), !d.doubt && !d.unplaced()
	err := do()
	switch {
	case err == nil:
		d.check(resultIsExpected(name, done, d.see()))
		d.may, d.around, d.doubt = beliefs{d.see()}, open, false
		d.boot = d.engine.Record().Boot
	case isFault(err):
		d.may, d.doubt = open, true
	default:
		d.check(refusalIsExpected(name, refusals, refusal.Of(err)))
		after := d.trace()
		if !settled { // even a refused command first finishes what the one before left behind
			after.disk = before.disk
		}
		d.check(refusalChangesNothing(name, before, after))
	}
	return err
}

// isFault distinguishes a failure from a refusal.
func isFault(err error) bool {
	why := refusal.Of(err)
	return err != nil && (why == refusal.IO || why == refusal.NoSpace)
}

// A trace holds everything that a refused command must not change.
type trace struct {
	disk [sha256.Size]byte
	sees belief
	boot uint64
}

func (d *device) trace() trace {
	// A stage that is refused may have the kernel verify a payload that it would have shared with a slot.
	return trace{sees: d.see(), boot: d.engine.Record().Boot, disk: d.disk.SumBytes()}
}

// unplaced reports whether the links have yet to follow an acknowledged switch.
func (d *device) unplaced() bool {
	r := d.engine.Record()
	if r.Pending == bootctl.None {
		return false
	}
	target, err := d.disk.Clone().Readlink(bootctl.Staged.String())
	return err == nil && path.Base(target) == r.Slot(r.Pending).Digest.String()
}

// publish records what updated has published.
func (d *device) publish(p updater.Publication) error {
	if d.dead() {
		return durabletest.ErrCut
	}
	disk := d.disk.Clone()
	set, err := slots.OpenSet(disk, p.Slot, p.Digest)
	if err != nil {
		return err
	}
	d.runs = p
	d.check(publishedIsVerified(set))
	d.check(publishedIsCounted(d, p))
	return nil
}

// Commands of operators. Staging takes two steps, so that another operator can come in between.

func (d *device) begin(version string) error {
	r := func(b belief) (belief, []belief, refusal.Reason) {
		switch {
		case b.trial:
			return b, nil, refusal.TrialInProgress
		case d.sending != nil:
			return b, nil, refusal.StageInProgress
		}
		return b, nil, ""
	}
	may, around := d.may, d.around
	err := d.command("begin "+version, r, func() error {
		size := uint64(len(d.library.archives[version]))
		stage, err := d.engine.Staging.Stage(impatient(), updater.Request{Life: context.Background(), Size: size,
			Operator: true})
		if err == nil {
			d.sending = stage
		}
		return err
	})
	if err == nil {
		d.may, d.around = may, around // begin writes nothing
	}
	return err
}

// impatient returns the context of an operator who does not wait for another stage to end.
func impatient() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func (d *device) receive(version string, r rule) (serial uint64, err error) {
	err = d.command("receive "+version, r, func() error {
		d.sending.Write(d.library.archives[version]) // if it fails, the stage ends and reports the reason
		serial, _, err = d.sending.Finish(context.Background())
		d.sending = nil
		return err
	})
	return serial, err
}

// abandon drops a stage that was begun but not sent, because the device died in between.
func (d *device) abandon() {
	if d.sending != nil {
		d.sending.Drop()
		d.sending = nil
	}
}

// stage stages a valid set.
func (d *device) stage(version string) (uint64, error) {
	if err := d.begin(version); err != nil {
		return 0, err
	}
	return d.receive(version, staging(version))
}

// offer sends an archive that must be refused.
func (d *device) offer(what string, why refusal.Reason) error {
	if err := d.begin(what); err != nil {
		return err
	}
	_, err := d.receive(what, refusing(why))
	return err
}

// unlessBusy returns a rule that applies while nobody is staging.
func (d *device) unlessBusy(r rule) rule {
	if d.sending != nil {
		return refusing(refusal.StageInProgress)
	}
	return r
}

func (d *device) switchTo(serial uint64) error {
	d.attempts = 0
	return d.command("switch", d.unlessBusy(switching(serial)),
		func() error { return d.engine.Staging.Switch(context.Background(), serial) })
}

func (d *device) discard(serial uint64) error {
	return d.command("discard", d.unlessBusy(discarding(serial)),
		func() error { return d.engine.Staging.Discard(context.Background(), serial) })
}

func (d *device) rollback() error {
	d.attempts = 0
	return d.command("rollback", returning,
		func() error { return d.engine.Recovery.Rollback(context.Background()) })
}

func (d *device) clear(version string) error {
	digest := d.library.digest(version)
	return d.command("clear", clearing(version),
		func() error { return d.engine.Recovery.ClearQuarantine(context.Background(), digest) })
}

func (d *device) String() string {
	return fmt.Sprintf("%s, after %d operations, may be %+v", d.kind, d.operations(), d.may)
}
