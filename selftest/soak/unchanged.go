package soak

import (
	"fmt"
	"reflect"
	"strings"

	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// unchanged wants a refusal to have changed no durable byte and nothing of the state, and a cycle that nothing
// disturbed to have left exactly its own audit records.
func (s *Soak) unchanged(r *Run, before kit.Fingerprint, sequence uint64) error {
	if r.Hit != "" || r.Flow == Rivals || r.crashLooped() {
		return nil
	}
	if r.refused() {
		after, err := kit.FingerprintOf(s.at("system"))
		if err != nil {
			return err
		}
		if found := before.Changes(after); len(found) > 0 {
			return fmt.Errorf("a refusal changed the slots: %s", strings.Join(found, "; "))
		}
		was, is := r.Before, r.After
		was.Watched, is.Watched = false, false // a watch ends by itself
		if !reflect.DeepEqual(was, is) {
			return fmt.Errorf("a refusal changed the state from %+v to %+v", r.Before, r.After)
		}
	}
	return s.audited(r, sequence)
}

// refused reports whether the first verb was refused, and so nothing may have changed.
func (r *Run) refused() bool {
	return len(r.Verbs) == 1 && r.want().exit != 0 && r.want().reason != "" && !r.tried()
}

// tried reports whether the set came as far as the standby slot.
func (r *Run) tried() bool {
	return r.Flow != Rollback && r.Set.Fate != oracle.Refused && r.Before.Quarantined(r.Set.Digest) == "" &&
		r.Before.Active().Digest() != r.Set.Digest
}
