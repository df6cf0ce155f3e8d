package health

import "nexus/libupdates/refusal"

// judge gives the verdict on the attempt, if there is one.
func (t Trial) judge() Trial {
	services := t.services()
	t.well = t.well || services.Outcome == OK
	if t.well || services.Outcome == Failed && !t.at.Trial {
		t.settled = t.at.Boot
	}
	v := t.verdictNow()
	if v.Outcome == Waiting && !t.stays {
		v = t.late(v)
	}
	if v.Outcome == OK || v.Outcome == Failed && !t.stays {
		t.state, t.verdict = delivering, t.excused(v)
	}
	return t
}

// services is the verdict on the services alone.
func (t Trial) services() Verdict {
	if !t.reported() {
		return Verdict{Outcome: Waiting, Detail: "the services: not reported"}
	}
	return Judge(nil, t.report.plain(), t.report.Quorum, nil)
}

// verdictNow is the verdict as things stand. Services that were healthy once are not asked about again.
func (t Trial) verdictNow() Verdict {
	switch {
	case !t.looked:
		return Verdict{Outcome: Waiting, Detail: "the daemons: not seen"}
	case t.well:
		return Judge(t.seen.Core, nil, 0, t.votes())
	case t.reported():
		return Judge(t.seen.Core, t.report.plain(), t.report.Quorum, t.votes())
	}
	if v := Judge(t.seen.Core, nil, 0, t.votes()); v.Outcome != OK {
		return v
	}
	return t.services()
}

// late is what becomes of a verdict that is not there when the time is up. What the reporter does not answer for is not
// the set's time, but it has an end, too: as long as the device takes to find a daemon hung, and a deadline more.
func (t Trial) late(v Verdict) Verdict {
	switch {
	case t.time.booked >= t.at.Policy.Deadline:
		return v.AtDeadline()
	case t.time.missing() >= t.hang+t.at.Policy.Deadline:
		f := failing(refusal.CoreNotReady, "daemon "+t.reporter, "does not answer", "")
		return Verdict(f)
	}
	return v
}

// votes are the votes on this attempt.
func (t Trial) votes() []Vote {
	var votes []Vote
	for _, v := range t.seen.Votes {
		if v.Boot != t.at.Boot && v.Choice != Gone {
			v = Vote{Voter: v.Voter}
		}
		votes = append(votes, v)
	}
	return votes
}

// watch gives the verdict on a set under watch, if there is one. Without a report there is none. Who still starts when
// the watch is over is waited for as long as in an attempt.
func (t Trial) watch() Trial {
	if !t.reported() {
		return t
	}
	over := t.at.Policy.Watch
	v := JudgeWatch(t.report.Services, t.report.Quorum, t.time.booked >= over)
	if t.time.booked >= over+t.at.Policy.Deadline {
		v = v.AtDeadline()
	}
	switch v.Outcome {
	case OK:
		t.state = ending
	case Failed:
		t.state, t.verdict = delivering, t.excused(v)
	}
	return t
}

// reported reports whether there is a word on the services of this attempt.
func (t Trial) reported() bool { return t.heard && t.report.Boot == t.at.Boot }

// plain are the services without what counts only under watch.
func (r Reported) plain() []Service {
	services := make([]Service, len(r.Services))
	for i, s := range r.Services {
		services[i] = s.Service
	}
	return services
}
