package updater

import (
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// about begins the audit record of a step that concerns what a slot of the record holds.
func about(r bootctl.Record, slot bootctl.Slot) Audit {
	if slot == bootctl.None {
		return Audit{}
	}
	c := r.Slot(slot)
	return Audit{Slot: slot, Version: c.Version, Digest: nxs.Digest(c.Digest)}
}

// A journal is the log, with the audit records of the engine.
type journal struct {
	Log
	caller Caller // who asked for the steps that are recorded
}

// step records a step: done if err is nil, else refused or failed.
func (j journal) step(op string, what Audit, err error) {
	result := OK
	if err != nil {
		what.Reason, what.Detail, result = refusal.Of(err), refusal.DetailOf(err), Refused
		if what.Reason == refusal.IO {
			result = Failed
		}
	}
	j.write(op, what, result)
}

func (j journal) write(op string, what Audit, result Result) {
	what.Op, what.Result, what.By = op, result, j.caller
	j.Audit(what)
}

// found records what a look at the slots changed in the record: damage, and the rollback that followed from it.
func (j journal) found(before, seen bootctl.Record) {
	for _, slot := range []bootctl.Slot{bootctl.A, bootctl.B} {
		was, is := before.Slot(slot), seen.Slot(slot)
		if is.Damage == "" || is.Damage == was.Damage || is.Digest != was.Digest {
			continue
		}
		what := about(seen, slot)
		what.Reason, what.Detail = is.Damage, "it does not lead to the set that it held"
		j.write("damaged", what, Failed)
	}
	if before.Active != bootctl.None && before.Running() != seen.Running() {
		j.rollback(seen)
	}
}

// rollback records the rollback that the record has just gone through, by the slot and the set that were left.
func (j journal) rollback(r bootctl.Record) {
	if r.LastRollback == nil {
		return
	}
	j.write("rollback", Audit{
		Slot: r.Standby(), Version: r.LastRollback.Version, Digest: nxs.Digest(r.LastRollback.Digest),
		Reason: r.LastRollback.Reason, Detail: r.LastRollback.Detail,
	}, OK)
}
