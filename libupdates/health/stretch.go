package health

import (
	"slices"
	"time"
)

// quiet is how long a reporter may say nothing and still be at work.
const quiet = time.Second

// A stretch is time that went by, told apart by whose it is.
type stretch struct {
	booked  time.Duration // on the set
	pending time.Duration // since the reporter was heard last
	absent  time.Duration // the reporter did not answer: it is not the set's
	lapsed  bool          // it did not answer until its connection ended
}

// flush books what is pending, when the reporter is heard again or can no longer be.
func (s stretch) flush() stretch {
	if s.pending > quiet {
		s.absent, s.lapsed = s.absent+s.pending, true
	} else {
		s.booked += s.pending
	}
	s.pending = 0
	return s
}

// missing is for how long the reporter did not answer, up to now.
func (s stretch) missing() time.Duration {
	if s.pending > quiet {
		return s.absent + s.pending
	}
	return s.absent
}

// tick books time. While a verdict is on its way nobody waits for the set; while it waits for a reporter that could
// speak, the time is the set's only once that one is heard.
func (t Trial) tick(ran time.Duration) stretch {
	s := t.time
	switch {
	case t.waits != Nothing:
		return s
	case t.Listens() && !(t.state == gathering && t.well) && t.reporterLives():
		s.pending += ran
		return s
	}
	s = s.flush()
	s.booked += ran
	return s
}

func (t Trial) reporterLives() bool {
	return slices.ContainsFunc(t.seen.Core, func(d Daemon) bool { return d.Name == t.reporter && d.Ready })
}

// hear takes a report in. Where the reporter had not answered until its end, its services have begun anew, and so does
// their time.
func (t Trial) hear(r Reported) Trial {
	t.time = t.time.flush()
	if t.time.lapsed && r.Life != t.report.Life && t.state == gathering {
		t.time.booked = 0
	}
	t.time.lapsed = false
	t.report, t.heard = r, true
	return t
}
