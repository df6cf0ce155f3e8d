package bootctl

// Restart is the record at the beginning of a boot, taken up from the one before: whatever attempt was under way has
// ended with it, so no verdict about it counts any more. If the end was ordered, the cause is Commanded and what that
// attempt cost is given back; else the cause is what was seen, and what the attempt had left of its tries is all there
// is.
func (r Record) Restart(seen Cause) Record {
	next := r.clone()
	if r.EndOrdered {
		seen = Commanded
		next.giveBack()
		next.AbruptEnds = 0
	} else {
		next.AbruptEnds = max(r.AbruptEnds, r.AbruptEnds+1)
		if seen == Commanded {
			seen = Unknown // an order would be in the record
		}
	}
	next.EndOrdered = false
	if r.Begun() {
		next.HealthOK = false
		next.Boot++
	}
	return next.Booted(seen)
}

// Booted notes that a boot begins, and why: for a record that was not taken up from one before.
func (r Record) Booted(cause Cause) Record {
	next := r.clone()
	next.BootCause = cause
	next.append(Event{Op: OpBoot, Reason: cause.code(), Boot: next.Boot})
	return next
}

// EndBoot records that somebody ordered the end of this boot. It must be durable before the system goes down. An
// attempt that is begun after it takes it back: whoever begins one does not end. A second time it changes nothing.
func (r Record) EndBoot() Record {
	r.EndOrdered = true
	return r
}

// giveBack puts back what the next attempt will cost in place of the one that was cut short, in a watch also where that
// one began it. An attempt whose verdict was bad is over and gives nothing back.
func (r *Record) giveBack() {
	switch {
	case !r.Begun():
	case r.Pending != None:
		r.TriesLeft = max(r.TriesLeft, r.TriesLeft+1)
	case r.WatchLeft > 0:
		r.WatchLeft = max(r.WatchLeft, r.WatchLeft+1)
	}
}
