package cli

import (
	"context"
	"strings"

	"nexus/daemons/updateclient"
	"nexus/libupdates/nxs"
)

// A state is what `nx status` knows: the boot record for people and programs.
type state struct {
	ActiveSlot   string  `json:"activeSlot"`
	PendingSlot  *string `json:"pendingSlot"`
	StagedSlot   *string `json:"stagedSlot"`
	TriesLeft    uint8   `json:"triesLeft"`
	HealthOK     bool    `json:"healthOk"`
	Persistent   bool    `json:"persistent"`
	Staging      bool    `json:"staging"`
	StagingDone  uint64  `json:"stagingDoneBytes,omitempty"` // of the archive that is being received
	StagingTotal uint64  `json:"stagingTotalBytes,omitempty"`
	Watched      bool    `json:"watched"`
	Boot         uint64  `json:"boot"`
	BootCause    string  `json:"bootCause"`
	AbruptEnds   uint8   `json:"abruptEnds"`
	PauseMs      uint32  `json:"pauseMs"`
	VersionFloor *string `json:"versionFloor"`
	// version of the core from a set that runs; null: the core with which the machine started
	Core         *string       `json:"core"`
	Slots        slotStates    `json:"slots"`
	Quarantine   []quarantined `json:"quarantine"`
	LastRollback *rolledBack   `json:"lastRollback"`
}

type slotStates struct {
	A      slotState `json:"a"`
	B      slotState `json:"b"`
	Staged slotState `json:"staged"` // what waits for its switch, in neither slot
}

// A slotState is what one slot holds; version and digest are null for an empty slot, the reason of damage where none
// was found.
type slotState struct {
	SystemVersion *string     `json:"systemVersion"`
	IndexSHA256   *string     `json:"indexSha256"`
	Good          bool        `json:"good"`
	Damage        *string     `json:"damage"`
	Kept          bool        `json:"kept"`   // the kernel verifies its payloads at every read
	Unkept        *string     `json:"unkept"` // why not
	Bundles       []bundleRef `json:"bundles"`
}

type bundleRef = updateclient.Bundle

type quarantined struct {
	IndexSHA256   string `json:"indexSha256"`
	SystemVersion string `json:"systemVersion"`
	Reason        string `json:"reason"`
}

type rolledBack struct {
	Reason        string `json:"reason"`
	Detail        string `json:"detail"`
	IndexSHA256   string `json:"indexSha256"`
	SystemVersion string `json:"systemVersion"`
	words
}

// words are what is known of a failed service: its last lines, and what was refused to it.
type words struct {
	Output  []string `json:"output,omitempty"`
	Refused []string `json:"refused,omitempty"`
}

// slot returns the content of the slot of that name.
func (s state) slot(name string) slotState {
	switch name {
	case "a":
		return s.Slots.A
	case "b":
		return s.Slots.B
	case "staged":
		return s.Slots.Staged
	}
	return slotState{}
}

// holds reports whether a slot holds the set with that digest.
func (s slotState) holds(digest string) bool { return s.IndexSHA256 != nil && *s.IndexSHA256 == digest }

// readState returns the current state of the system.
func readState(ctx context.Context, f *facets) (state, error) { return stateBy(ctx, f.status) }

func stateBy(ctx context.Context, of statusFacet) (state, error) {
	facet, done := of(ctx)
	defer done()
	status, err := updateclient.Get(ctx, facet)
	return stateOf(status), err
}

// stateOf is a status as it is shown.
func stateOf(from updateclient.Status) state {
	s := state{
		ActiveSlot: from.Active.String(), PendingSlot: orNull(from.Pending.String(), "none"),
		StagedSlot: orNull(from.Staged.String(), "none"),
		TriesLeft:  from.TriesLeft, HealthOK: from.HealthOK, Persistent: from.Persistent, Staging: from.Staging,
		StagingDone: from.StagingDone, StagingTotal: from.StagingTotal,
		Watched: from.Watched, Boot: from.Boot,
		BootCause: from.Cause.String(), AbruptEnds: from.AbruptEnds, PauseMs: from.PauseMs,
		VersionFloor: orNull(from.Floor, ""), Core: orNull(from.Core, ""),
		Slots:      slotStates{slotStateOf(from.Slots[0]), slotStateOf(from.Slots[1]), slotStateOf(from.Slots[2])},
		Quarantine: []quarantined{},
	}
	for _, q := range from.Quarantine {
		s.Quarantine = append(s.Quarantine, quarantined{hexOf(nxs.Digest(q.Digest)), q.Version, string(q.Reason)})
	}
	if last := from.LastRollback; last != nil {
		s.LastRollback = &rolledBack{
			Reason: string(last.Reason), Detail: last.Detail, IndexSHA256: hexOf(nxs.Digest(last.Digest)),
			SystemVersion: last.Version, words: words{linesOf(last.Output), linesOf(last.Refused)},
		}
	}
	return s
}

func slotStateOf(slot updateclient.Slot) slotState {
	return slotState{
		SystemVersion: orNull(slot.Version, ""), IndexSHA256: orNull(hexOf(nxs.Digest(slot.Digest)), ""),
		Good: slot.Good, Damage: orNull(string(slot.Damage), ""), Bundles: slot.Bundles,
		Kept: slot.Kept, Unkept: orNull(slot.Unkept, ""),
	}
}

// linesOf are lines that were joined.
func linesOf(joined string) []string {
	if joined == "" {
		return nil
	}
	return strings.Split(joined, "\n")
}
