package guard

// exports are our capabilities that the peer holds, by the library's id. What the peer refers to or releases must be
// there: for an id that is not, the library ended the connection, or the process (seen).
type exports map[uint32]*export

// An export is one of our capabilities that the peer holds.
type export struct {
	refs  uint32 // references that the peer holds
	users int    // waiting messages that refer to it
	owed  uint32 // references that the peer released; the library is told after those messages
}

// grant adds references for capabilities that the peer now holds.
func (x exports) grant(ids []uint32) error {
	for _, id := range ids {
		e := x[id]
		if e == nil {
			if len(x) >= MaxExports {
				return refuse(TooManyExports)
			}
			e = &export{}
			x[id] = e
		}
		e.refs++
	}
	return nil
}

// ungrant takes references back that the peer does not get after all.
func (x exports) ungrant(ids []uint32) {
	for _, id := range ids {
		x[id].refs--
		x.tidy(id)
	}
}

// check refuses a reference to a capability that the peer does not hold.
func (x exports) check(id uint32) error {
	if e := x[id]; e == nil || e.refs == 0 {
		return refuse(BadCapabilityID)
	}
	return nil
}

// release takes references away that the peer gives up. now reports whether the library may see it at once, rather than
// after the waiting messages that refer to the capability.
func (x exports) release(id, count uint32) (now bool, err error) {
	e := x[id]
	if e == nil || count == 0 || count > e.refs {
		return false, refuse(BadRelease)
	}
	e.refs -= count
	if now = e.users == 0; !now {
		e.owed += count
	}
	x.tidy(id)
	return now, nil
}

// unuse records that a waiting message has gone. It returns how many references the library is to be told of now.
func (x exports) unuse(id uint32) (owed uint32) {
	e := x[id]
	e.users--
	if e.users == 0 {
		owed, e.owed = e.owed, 0
	}
	x.tidy(id)
	return owed
}

// tidy forgets an export that has no references left.
func (x exports) tidy(id uint32) {
	if e := x[id]; e.refs == 0 && e.users == 0 && e.owed == 0 {
		delete(x, id)
	}
}
