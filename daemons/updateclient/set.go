package updateclient

import (
	"context"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/bundlestate"
)

// A Set is a set that waits for its switch.
type Set struct {
	Slot    bootctl.Slot // that a switch would put it into
	Version string
	Digest  bootctl.Digest
	Bundles []Bundle
	Reused  uint64 // bytes of payloads that were in place already, known to whoever staged it

	// The power to switch to it, null for those who do not have it; whoever has the set releases it.
	System update.StagedSystem

	switched func() error // waits for the answer to a switch that was asked for already; nil for none
}

// A Bundle is a bundle of a set.
type Bundle struct {
	Name    string `json:"name"`
	Version string `json:"version"`

	Identity bundlestate.Identity `json:"-"`
}

// Staged returns the set that is staged now.
func Staged(ctx context.Context, facet update.Updated) (Set, error) {
	answer, release := facet.Staged(ctx, nil)
	defer release()
	res, err := convert.Outcome(answer.Struct())
	if err != nil {
		return Set{}, err
	}
	return describe(ctx, res.System())
}

// describe returns the set that a StagedSystem can switch to. The caller keeps system.
func describe(ctx context.Context, system update.StagedSystem) (Set, error) {
	answer, release := system.Describe(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return Set{}, err
	}
	set, err := readSet(res.System())
	if err == nil {
		set.System = system.AddRef()
	}
	return set, err
}

// Switch puts the set on trial.
func (s Set) Switch(ctx context.Context) error {
	if s.switched != nil {
		return s.switched()
	}
	return switching(ctx, s.System)()
}

// switching asks for a switch, and returns what waits for the answer, which has to be called.
func switching(ctx context.Context, system update.StagedSystem) func() error {
	answer, release := system.Switch(ctx, nil)
	return func() error {
		defer release()
		_, err := convert.Outcome(answer.Struct())
		return err
	}
}

// Discard drops the set.
func (s Set) Discard(ctx context.Context) error {
	answer, release := s.System.Discard(ctx, nil)
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return err
}

// readSet takes what the getter of a message returns.
func readSet(m update.StagedInfo, err error) (Set, error) {
	if err != nil {
		return Set{}, err
	}
	var r reader
	return Set{
		Slot: convert.SlotOf(m.Slot()), Version: r.Text(m.SystemVersion()),
		Digest: r.digest(m.IndexSha256()), Bundles: r.bundles(m.Bundles()),
	}, r.Err
}
