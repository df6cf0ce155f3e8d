package cli

import (
	"context"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
)

// nothingRuns is the note on a set without a service.
const nothingRuns = "nothing in this set runs by itself: no bundle has " + nxb.AbilityService

// preflight notes what an operator should know before the standby slot is overwritten: that the set is older than what
// runs, and that nothing in it runs by itself. It proves nothing, because the file has not been verified; what it
// cannot read is left for the system to judge.
func (v *updateVerb) preflight(ctx context.Context, in *invocation, s *session, set archive) error {
	found, err := peek(set)
	if err != nil {
		return nil
	}
	now, err := readState(ctx, &s.facets)
	if err != nil {
		return err
	}
	if err := notOlder(now, found.Index.SystemVersion); err != nil && !v.Downgrade {
		return err
	}
	if !runsServices(found) {
		in.note("note: %s", nothingRuns)
	}
	return nil
}

// peek reads the metadata of a file that has not been verified, without its payloads.
func peek(set archive) (*nxs.Inspection, error) {
	return nxs.Peek(set, set.size, nxs.Limits{Archive: nxs.MaxPolicy, Payload: nxs.MaxPolicy})
}

// runsServices reports whether something in the set runs by itself: a service, or the core.
func runsServices(found *nxs.Inspection) bool {
	if _, carries := nxs.Core(found.Index.Bundles); carries {
		return true
	}
	for _, m := range found.Manifests {
		if m.IsService() {
			return true
		}
	}
	return false
}
