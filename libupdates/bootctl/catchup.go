package bootctl

// CatchUp is for a record that is older than the slots, such as one restored from a backup, when neither slot holds a
// set that it could run. If the slot that was confirmed last holds a newer set that is not barred, that slot becomes
// the active one. No attempt of it counts as confirmed yet. Quarantine, floor and history stay as the record has them.
//
// In every other case the record stays as it is, and behind is false. An older set never becomes active this way: it
// may bring an old fault back.
func (r Record) CatchUp(confirmed Slot, a, b Content) (next Record, behind bool) {
	found := New()
	found.Slots = [...]Content{a.asFound(), b.asFound()}
	is := found.Slot(confirmed)
	if is.IsEmpty() || is.Digest == r.Slot(confirmed).Digest || r.barred(is) != nil {
		return r, false
	}
	agreed, _ := r.Reconcile(a, b, Content{})
	lost := agreed.Slot(agreed.Running())
	if lost.Damage == "" || lost.Digest == a.Digest || lost.Digest == b.Digest || !older(lost.Version, is.Version) {
		return r, false
	}
	next = r.draft().Record
	next.Slots, next.Active, next.Pending, next.Staged = found.Slots, confirmed, None, Content{}
	next.TriesLeft, next.WatchLeft, next.AbruptEnds, next.HealthOK = 0, 0, 0, false
	next.Boot++ // no verdict about an attempt of another set counts
	return next, true
}
