package bootctl

import (
	"errors"
	"fmt"
)

// check returns what is wrong with a record, before it is written and after it was read: a record that violates an
// invariant is neither stored nor acted on.
func check(r Record) error {
	if err := checkSlots(r); err != nil {
		return err
	}
	if len(r.Quarantine) > MaxQuarantine {
		return errors.New("quarantine is too long")
	}
	if len(r.History) > MaxHistory {
		return errors.New("history is too long")
	}
	return checkTexts(r)
}

func checkSlots(r Record) error {
	if r.Active != A && r.Active != B {
		return errors.New("no slot is active")
	}
	if r.Pending != None && !r.Staged.IsEmpty() {
		return errors.New("a set is staged during a trial")
	}
	if r.Pending != None && r.Pending != r.Standby() {
		return errors.New("the pending slot is not the standby slot")
	}
	if r.Pending != None && r.Slot(r.Pending).IsEmpty() {
		return errors.New("the pending slot is empty")
	}
	if r.TriesLeft > 0 && r.Pending == None {
		return errors.New("tries are left without a trial")
	}
	if r.WatchLeft > 0 && r.Pending != None {
		return errors.New("the active set is under watch while another is on trial")
	}
	if r.Staged != r.Staged.asFound() {
		return errors.New("the staged set was good or is damaged")
	}
	for _, c := range r.Slots {
		if c.IsEmpty() && c != (Content{Damage: c.Damage}) {
			return errors.New("an empty slot has a version or was good")
		}
	}
	return nil
}

func checkTexts(r Record) error {
	ok := isLine(r.Floor, maxVersion)
	for _, c := range []Content{r.Slots[0], r.Slots[1], r.Staged} {
		ok = ok && isLine(c.Version, maxVersion) && isLine(c.Floor, maxVersion) && isCode(string(c.Damage), maxReason)
	}
	for i, q := range r.Quarantine {
		if q.Digest.IsZero() {
			return fmt.Errorf("quarantine entry %d names no set", i)
		}
		ok = ok && isLine(q.Version, maxVersion) && isCode(string(q.Reason), maxReason)
	}
	if last := r.LastRollback; last != nil {
		ok = ok && isLine(last.Version, maxVersion) && isCode(string(last.Reason), maxReason) &&
			isLine(last.Detail, maxDetail) && areLines(last.Output, maxOutputLines, maxOutput) &&
			areLines(last.Refused, maxRefused, maxRefused*(maxRefusedLine+1))
	}
	for _, e := range r.History {
		ok = ok && isCode(string(e.Op), maxOp) && e.Slot <= B && isLine(e.Version, maxVersion) &&
			isCode(string(e.Reason), maxReason) && isLine(e.Detail, maxEventDetail)
	}
	if !ok {
		return errors.New("a text is too long or of the wrong form")
	}
	return nil
}
