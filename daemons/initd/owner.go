package initd

import (
	"errors"
	"slices"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// An owner decides for the supervisor what daemons get, and what happens when one cannot run.
type owner struct{ s *system }

// Endow grants a new instance of a daemon what its row says: resources first, then a link for each edge whose other end
// runs.
func (o owner) Endow(daemon string, channel *vat.Parent) error {
	i := slices.IndexFunc(o.s.table, func(row Daemon) bool { return row.Name == daemon })
	return errors.Join(o.s.resources.grant(o.s.table[i], channel), o.s.links.Endow(daemon, channel))
}

// LinkEnded has a link made again.
func (o owner) LinkEnded(daemon string, ended vat.Ended) { o.s.links.Ended(daemon, ended) }

// Died unlinks a daemon.
func (o owner) Died(daemon string) { o.s.links.Died(daemon) }

// Over ends the system, because a daemon cannot be started or the selftest is over.
func (o owner) Over(daemon string, exit plat.Exit, why string) {
	if daemon == selftestName {
		o.selftestEnded(exit)
		return
	}
	o.s.ending.stop(outcome{failed: true, why: why})
}

// selftestEnded counts a selftest that ended early as failed.
func (o owner) selftestEnded(exit plat.Exit) {
	o.s.ballot.update(func() { o.s.ballot.gone = true })
	o.s.ending.stop(outcome{failed: true, why: "the selftest ended early: " + exit.String()})
}
