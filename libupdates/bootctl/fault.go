package bootctl

import "nexus/libupdates/refusal"

// A charge says what a reason for leaving a set means for that set.
type charge struct {
	blameless bool // the machine, the system or an operator was the cause: the set is not quarantined
	final     bool // trying again would not help: the tries that are left are not used
}

// charges holds the reasons that are not plain failures of the set. A reason that is not in it, one of a later version
// included, quarantines the set and leaves it its tries.
var charges = map[refusal.Reason]charge{
	refusal.HealthTimeout: {final: true},
	refusal.CoreNotReady:  {blameless: true},
	refusal.Hindered:      {blameless: true, final: true},
	refusal.Revoked:       {blameless: true, final: true},
}
