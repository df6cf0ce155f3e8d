package bootctl

import (
	"nexus/libupdates/refusal"
)

// Damage records what was found in a slot that no longer holds what was signed. Such a slot is neither switched to nor
// returned to. A staged set is no longer staged, a trial ends, and the active slot is left for the other one if that
// can be returned to. The set itself is not to blame, so it is not quarantined: staging it again repairs the slot.
// Refused as SlotMismatch for an empty slot, or no slot.
func (r Record) Damage(s Slot, reason refusal.Reason, detail string) (Record, error) {
	c := r.Slot(s)
	if c.IsEmpty() {
		return r, refusal.New(refusal.SlotMismatch, "slot %s holds nothing", s)
	}
	next := r.draft()
	c.Damage = cleanReason(reason)
	if s == Staged {
		next.noteSet(OpDamaged, None, c, c.Damage)
		next.Staged = Content{}
		return next.Record, nil
	}
	next.put(s, c)
	if r.Slot(s).Damage == "" {
		next.note(OpDamaged, s, c.Damage)
	}
	switch s {
	case r.Pending:
		next.endTrial(c.Damage, detail)
	case r.Active:
		if next.Pending == None && next.canReturn() == nil {
			next.giveUp(c.Damage, detail)
		}
	default:
		next.WatchLeft = 0 // there is nothing left to return to
	}
	return next.Record, nil
}

// Mended clears the mark of a slot that was found intact again. Without a mark it changes nothing.
func (r Record) Mended(s Slot) Record {
	c := r.Slot(s)
	if c.Damage == "" {
		return r
	}
	next := r.draft()
	c.Damage = ""
	next.put(s, c)
	next.note(OpMended, s, "")
	next.recheckStaged() // it may be the set that the slot holds
	return next.Record
}
