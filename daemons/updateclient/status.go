package updateclient

import (
	"context"
	"strings"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// A Status is what updated tells of the boot record.
type Status struct {
	Active, Pending, Staged bootctl.Slot
	TriesLeft               uint8
	HealthOK, Watched       bool
	Staging, Persistent     bool
	StagingDone             uint64 // bytes of the archive, of StagingTotal
	StagingTotal            uint64
	Boot                    uint64
	Cause                   bootctl.Cause
	AbruptEnds              uint8
	PauseMs                 uint32
	Floor                   string  // SemVer; empty: none
	Core                    string  // version of the core that runs; empty: the one that the machine started with
	Slots                   [3]Slot // a, b and what is staged
	Quarantine              []bootctl.Quarantined
	LastRollback            *bootctl.Rollback // nil if there was none
	Stage                   uint64            // number of the last completed stage; in a trial, that of the trial
}

// A Slot is what one slot holds, or what is staged.
type Slot struct {
	bootctl.Content
	Bundles []Bundle
	Kept    bool   // the kernel verifies its payloads at every read
	Unkept  string // why not
}

// Slot returns what a slot holds, or what is staged; None holds nothing.
func (s Status) Slot(slot bootctl.Slot) Slot {
	if slot == bootctl.None {
		return Slot{}
	}
	return s.Slots[slot-bootctl.A]
}

// Get asks for the status.
func Get(ctx context.Context, facet update.UpdateStatus) (Status, error) {
	answer, release := facet.GetStatus(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return Status{}, err
	}
	return Read(res.Status())
}

// Read takes what the getter of a status returns.
func Read(m update.Status, err error) (Status, error) {
	if err != nil {
		return Status{}, err
	}
	var r reader
	s := Status{
		Active: convert.SlotOf(m.Active()), Pending: convert.SlotOf(m.Pending()), Staged: convert.SlotOf(m.Staged()),
		TriesLeft: m.TriesLeft(), HealthOK: m.HealthOk(), Watched: m.Watched(),
		Staging: m.Staging(), Persistent: m.Persistent(),
		StagingDone: m.StagingDoneBytes(), StagingTotal: m.StagingTotalBytes(),
		Boot: m.Boot(), Cause: convert.CauseOf(m.BootCause()), AbruptEnds: m.AbruptEnds(), PauseMs: m.PauseMs(),
		Floor: r.Text(m.VersionFloor()), Core: r.Text(m.Core()),
		Slots:        [3]Slot{r.slot(m.SlotA()), r.slot(m.SlotB()), r.slot(m.StagedSet())},
		Quarantine:   r.quarantine(m.Quarantine()),
		LastRollback: r.rollback(m.LastRollback()),
		Stage:        m.Stage(),
	}
	return s, r.Err
}

// A reader reads the parts of a status.
type reader struct{ convert.Reader }

func (r *reader) digest(raw []byte, err error) bootctl.Digest {
	return bootctl.Digest(r.Digest(raw, err))
}

func (r *reader) reason(text string, err error) refusal.Reason {
	return refusal.Reason(r.Text(text, err))
}

func (r *reader) slot(m update.SlotStatus, err error) Slot {
	r.Note(err)
	c, err := m.Content()
	r.Note(err)
	return Slot{
		Content: bootctl.Content{
			Digest: r.digest(c.IndexSha256()), Version: r.Text(c.SystemVersion()), Floor: r.Text(c.VersionFloor()),
			Good: c.Good(), Damage: r.reason(c.Damage()),
		},
		Bundles: r.bundles(m.Bundles()),
		Kept:    m.Kept(), Unkept: r.Text(m.Unkept()),
	}
}

func (r *reader) bundles(list update.BundleRef_List, err error) []Bundle {
	r.Note(err)
	bundles := []Bundle{}
	for i := range r.Items(list.Len()) {
		b := Bundle{Name: r.Text(list.At(i).Name()), Version: r.Text(list.At(i).Version())}
		identity, err := list.At(i).Identity()
		r.Note(err)
		copy(b.Identity[:], identity)
		bundles = append(bundles, b)
	}
	return bundles
}

func (r *reader) quarantine(list bootrecord.Quarantined_List, err error) (all []bootctl.Quarantined) {
	r.Note(err)
	for i := range r.Items(list.Len()) {
		q := list.At(i)
		all = append(all, bootctl.Quarantined{
			Digest: r.digest(q.IndexSha256()), Version: r.Text(q.SystemVersion()), Reason: r.reason(q.Reason()),
		})
	}
	return all
}

func (r *reader) rollback(m bootrecord.Rollback, err error) *bootctl.Rollback {
	r.Note(err)
	if !m.IsValid() {
		return nil
	}
	return &bootctl.Rollback{
		Reason: r.reason(m.Reason()), Detail: r.Text(m.Detail()), Digest: r.digest(m.IndexSha256()),
		Version: r.Text(m.SystemVersion()),
		Output:  strings.Join(r.Texts(m.Output()), "\n"), Refused: strings.Join(r.Texts(m.Refused()), "\n"),
	}
}
