package bootctl

import "time"

// A confirmed set that brings the machine down again and again, and has nothing before it to return to, would restart
// it without end. Such a boot waits before its first attempt, the longer the more often: the machine stays reachable
// meanwhile, for whoever can mend it.
const (
	freeAbruptEnds = 3           // abrupt ends that nothing follows from: a trial with the default tries takes no more
	firstPause     = time.Second // after one more; it doubles with each
	maxPause       = time.Minute
)

// Pause is how long the first attempt of a boot is held back. A trial and a watch are never: both are bounded by
// themselves.
func (r Record) Pause() time.Duration {
	if r.Pending != None || r.WatchLeft > 0 || r.AbruptEnds <= freeAbruptEnds {
		return 0
	}
	pause := firstPause
	for n := r.AbruptEnds - freeAbruptEnds; n > 1 && pause < maxPause; n-- {
		pause *= 2
	}
	return min(pause, maxPause)
}
