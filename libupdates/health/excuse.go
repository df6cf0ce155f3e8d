package health

import "nexus/libupdates/refusal"

// Revocations are what operators have revoked since the system started.
type Revocations struct {
	Count uint64
	Last  string // who lost what, last
}

// excused is a verdict as it is after something was revoked during the attempt, or on a machine that hinders services:
// whatever failed may have needed just that, so the set is not blamed.
func (t Trial) excused(v Verdict) Verdict {
	switch {
	case v.Outcome != Failed || v.Reason == refusal.Hindered || v.Reason == refusal.CoreNotReady:
	case t.seen.Revoked.Count != t.revoked:
		v.Reason, v.Detail = refusal.Revoked, sentence(t.seen.Revoked.Last, "revoked by an operator", v.Detail)
	case t.seen.Hindrance != "":
		v.Reason, v.Detail = refusal.Hindered, sentence("this machine", t.seen.Hindrance, v.Detail)
	}
	return v
}
