package selftest

import (
	"bytes"
	"context"
	"fmt"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/update"
)

// A state is the part of UpdateStatus that the flow needs.
type state struct {
	active, pending, staged bootrecord.Slot
	healthOK                bool
	boot                    uint64
	a, b                    content
	quarantine              [][]byte
	rolledBack              []byte // digest of the set that was rolled back last
	rollbackReason          string
}

// A content describes the set in a slot.
type content struct {
	version string
	digest  []byte
}

func (s state) slot(slot bootrecord.Slot) content {
	if slot == bootrecord.Slot_b {
		return s.b
	}
	return s.a
}

func (s state) isQuarantined(digest []byte) bool {
	for _, q := range s.quarantine {
		if bytes.Equal(q, digest) {
			return true
		}
	}
	return false
}

// state queries the current state.
func (t *selftest) state(ctx context.Context) (state, error) {
	updated, err := t.updated(ctx)
	if err != nil {
		return state{}, err
	}
	defer updated.Release()
	answer, release := update.UpdateStatus(updated).GetStatus(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return state{}, err
	}
	m, err := res.Status()
	if err != nil {
		return state{}, err
	}
	return readState(m)
}

// await polls until the state is as wanted. It does not subscribe, because it must keep working across restarts of
// updated.
func (t *selftest) await(ctx context.Context, what string, wanted func(state) bool) (state, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		s, err := t.state(ctx)
		if err == nil && wanted(s) {
			return s, nil
		}
		if t.pause(ctx) != nil {
			return s, fmt.Errorf("cannot reach %s within %s", what, patience)
		}
	}
}

func readState(m update.Status) (state, error) {
	s := state{active: m.Active(), pending: m.Pending(), staged: m.Staged(), healthOK: m.HealthOk(), boot: m.Boot()}
	var err error
	if s.a, err = readContent(m.SlotA()); err != nil {
		return s, err
	}
	if s.b, err = readContent(m.SlotB()); err != nil {
		return s, err
	}
	list, err := m.Quarantine()
	if err != nil {
		return s, err
	}
	for i := range list.Len() {
		digest, err := list.At(i).IndexSha256()
		if err != nil {
			return s, err
		}
		s.quarantine = append(s.quarantine, bytes.Clone(digest))
	}
	if !m.HasLastRollback() {
		return s, nil
	}
	last, err := m.LastRollback()
	if err != nil {
		return s, err
	}
	if s.rollbackReason, err = last.Reason(); err != nil {
		return s, err
	}
	digest, err := last.IndexSha256()
	s.rolledBack = bytes.Clone(digest)
	return s, err
}

func readContent(m update.SlotStatus, err error) (content, error) {
	if err != nil {
		return content{}, err
	}
	c, err := m.Content()
	if err != nil {
		return content{}, err
	}
	version, err := c.SystemVersion()
	if err != nil {
		return content{}, err
	}
	digest, err := c.IndexSha256()
	return content{version: version, digest: bytes.Clone(digest)}, err
}
