package bootctl

import "time"

// A confirmed set that brings the machine down again and again, with no previous set to return to, would restart it
// endlessly. Such a boot waits before its first attempt, longer each time. Meanwhile an operator can reach the machine
// and repair it.
const (
	freeAbruptEnds = 3           // abrupt ends without a pause: a trial with the default tries has no more
	firstPause     = time.Second // after one more; it doubles with each
	maxPause       = time.Minute
)

// Pause returns how long the first attempt of a boot is delayed. During a trial or a watch it never is, because both
// are bounded.
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
