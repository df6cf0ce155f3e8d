package bootctl

// Restart is the record at the beginning of a boot, taken up from the one before: whatever attempt was under way has ended with it, so no
// verdict about it counts any more, and what it had left of its tries is all there is. Applied to its own result, Restart changes
// nothing.
func (r Record) Restart() Record {
	if !r.Begun() {
		return r
	}
	next := r.clone()
	next.HealthOK = false
	next.Boot++
	return next
}
