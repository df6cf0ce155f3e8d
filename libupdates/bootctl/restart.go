package bootctl

// Restart returns the record at the beginning of a boot, from that of the previous boot. The attempt of that boot has
// ended, so verdicts about it no longer count. If the end was ordered, the cause is Commanded and the cost of the
// attempt is given back; else the cause is the one that was seen, and the try stays used.
func (r Record) Restart(seen Cause) Record {
	next := r.draft()
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

// Booted records that a boot begins, and why, in a record that does not come from a previous boot.
func (r Record) Booted(cause Cause) Record {
	next := r.draft()
	next.BootCause = cause
	next.append(Event{Op: OpBoot, Reason: cause.code(), Boot: next.Boot})
	return next.Record
}

// EndBoot records that somebody ordered the end of this boot. It must be durable before the system goes down. Beginning
// an attempt afterwards cancels it. Calling it again changes nothing.
func (r Record) EndBoot() Record {
	r.EndOrdered = true
	return r
}

// giveBack returns the cost of the attempt that was cut short, because the next attempt will cost it again; in a watch
// also if that attempt began the watch. An attempt with a bad verdict is over and gives nothing back.
func (r *draft) giveBack() {
	switch {
	case !r.Begun():
	case r.Pending != None:
		r.TriesLeft = max(r.TriesLeft, r.TriesLeft+1)
	case r.WatchLeft > 0:
		r.WatchLeft = max(r.WatchLeft, r.WatchLeft+1)
	}
}
