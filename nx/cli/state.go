package cli

import (
	"context"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/update"
	"nexus/daemons/convert"
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
	Watched      bool    `json:"watched"`
	Boot         uint64  `json:"boot"`
	BootCause    string  `json:"bootCause"`
	AbruptEnds   uint8   `json:"abruptEnds"`
	PauseMs      uint32  `json:"pauseMs"`
	VersionFloor *string `json:"versionFloor"`
	// version of the core that a set carried and that runs; null: the one that the machine started with
	Core         *string       `json:"core"`
	Slots        slotStates    `json:"slots"`
	Quarantine   []quarantined `json:"quarantine"`
	LastRollback *rolledBack   `json:"lastRollback"`
}

type slotStates struct {
	A slotState `json:"a"`
	B slotState `json:"b"`
}

// A slotState is what one slot holds; version and digest are null for an empty slot, the reason of damage where none
// was found.
type slotState struct {
	SystemVersion *string     `json:"systemVersion"`
	IndexSHA256   *string     `json:"indexSha256"`
	Good          bool        `json:"good"`
	Damage        *string     `json:"damage"`
	Bundles       []bundleRef `json:"bundles"`
}

type bundleRef struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

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

// words are what is known of a service that failed: the last lines that it wrote, and what was refused to it.
type words struct {
	Output  []string `json:"output,omitempty"`
	Refused []string `json:"refused,omitempty"`
}

// slot is what the slot of that name holds.
func (s state) slot(name string) slotState {
	switch name {
	case "a":
		return s.Slots.A
	case "b":
		return s.Slots.B
	}
	return slotState{}
}

// holds tells whether a slot holds the set with that digest.
func (s slotState) holds(digest string) bool { return s.IndexSHA256 != nil && *s.IndexSHA256 == digest }

// state asks for the state now.
func (s *session) state(ctx context.Context) (state, error) {
	status, err := s.status(ctx)
	if err != nil {
		return state{}, err
	}
	defer status.Release()
	answer, release := status.GetStatus(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return state{}, err
	}
	return readState(res.Status())
}

// readState takes what the getter of a message returns.
func readState(m update.Status, err error) (state, error) {
	if err != nil {
		return state{}, err
	}
	var r reader
	s := state{
		ActiveSlot: slotName(m.Active()), PendingSlot: slotOrNull(m.Pending()), StagedSlot: slotOrNull(m.Staged()),
		TriesLeft: m.TriesLeft(), HealthOK: m.HealthOk(), Persistent: m.Persistent(), Staging: m.Staging(),
		Watched: m.Watched(), Boot: m.Boot(),
		BootCause: convert.CauseOf(m.BootCause()).String(), AbruptEnds: m.AbruptEnds(), PauseMs: m.PauseMs(),
	}
	s.VersionFloor = orNull(r.text(m.VersionFloor()), "")
	s.Core = orNull(r.text(m.Core()), "")
	s.Slots.A = r.slot(m.SlotA())
	s.Slots.B = r.slot(m.SlotB())
	s.Quarantine = r.quarantine(m.Quarantine())
	s.LastRollback = r.rollback(m.LastRollback())
	return s, r.err
}

func (r *reader) slot(m update.SlotStatus, err error) slotState {
	r.note(err)
	content, err := m.Content()
	r.note(err)
	return slotState{
		SystemVersion: orNull(r.text(content.SystemVersion()), ""),
		IndexSHA256:   orNull(r.digest(content.IndexSha256()), ""),
		Good:          content.Good(),
		Damage:        orNull(r.text(content.Damage()), ""),
		Bundles:       r.bundleRefs(m.Bundles()),
	}
}

func (r *reader) bundleRefs(list update.BundleRef_List, err error) []bundleRef {
	r.note(err)
	refs := []bundleRef{}
	for i := range r.items(list.Len()) {
		refs = append(refs, bundleRef{r.text(list.At(i).Name()), r.text(list.At(i).Version())})
	}
	return refs
}

func (r *reader) quarantine(list bootrecord.Quarantined_List, err error) []quarantined {
	r.note(err)
	all := []quarantined{}
	for i := range r.items(list.Len()) {
		q := list.At(i)
		all = append(all, quarantined{r.digest(q.IndexSha256()), r.text(q.SystemVersion()), r.text(q.Reason())})
	}
	return all
}

func (r *reader) rollback(m bootrecord.Rollback, err error) *rolledBack {
	r.note(err)
	if !m.IsValid() {
		return nil
	}
	return &rolledBack{
		Reason: r.text(m.Reason()), Detail: r.text(m.Detail()), IndexSHA256: r.digest(m.IndexSha256()),
		SystemVersion: r.text(m.SystemVersion()), words: words{r.texts(m.Output()), r.texts(m.Refused())},
	}
}
