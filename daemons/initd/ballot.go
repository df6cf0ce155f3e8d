package initd

import (
	"context"
	"sync"

	"nexus/capnpgen/vote"
	"nexus/daemons/vat"
	"nexus/libupdates/health"
)

// A ballot holds the votes that a commit waits for. The only voter is the selftest, if the system was started with it.
type ballot struct {
	voter   string // empty: nobody votes
	changed *vat.Notifier

	mu     sync.Mutex
	boot   uint64 // the attempt that the last vote was for
	choice health.Choice
	why    string
	gone   bool // the voter ended, which counts as a no on every attempt
}

// votes returns the newest vote.
func (b *ballot) votes() []health.Vote {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.voter == "":
		return nil
	case b.gone:
		return []health.Vote{{Voter: b.voter, Choice: health.Gone, Detail: "it ended"}}
	}
	return []health.Vote{{Voter: b.voter, Boot: b.boot, Choice: b.choice, Detail: b.why}}
}

func (b *ballot) update(change func()) {
	b.mu.Lock()
	change()
	b.mu.Unlock()
	b.changed.Notify()
}

// A voter is the HealthVote capability.
type voter struct {
	ballot *ballot
	ending *ending
}

func (v *voter) Cast(_ context.Context, call vote.HealthVote_cast) error {
	args := call.Args()
	why, err := args.Detail()
	if err != nil {
		return err
	}
	boot, choice := args.Boot(), health.No
	if args.Healthy() {
		choice = health.Yes
	}
	v.ballot.update(func() { v.ballot.boot, v.ballot.choice, v.ballot.why = boot, choice, why })
	return nil
}

// Done stops the system with the selftest's outcome.
func (v *voter) Done(_ context.Context, call vote.HealthVote_done) error {
	v.ending.stop(outcome{failed: !call.Args().Passed(), why: "the selftest failed"})
	return nil
}
