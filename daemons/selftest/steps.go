package selftest

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"slices"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/updateclient"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// A selftest is the client and its grants.
type selftest struct {
	host       plat.Host
	log        *logclient.Log
	sets       *os.Root
	endowments *vat.Endowments
	votes      *vat.Holding
	journal    *vat.Holding
}

// A running is a confirmed set.
type running struct {
	slot    bootctl.Slot
	version string
	digest  bootctl.Digest
}

// confirmStart waits until the probe answers with the version of the active slot, and confirms that slot.
func (t *selftest) confirmStart(ctx context.Context) (running, error) {
	s, err := t.await(ctx, "the first boot attempt", func(s updateclient.Status) bool { return s.Boot > 0 })
	if err != nil {
		return running{}, err
	}
	slot := s.Slot(s.Active)
	if !slot.IsEmpty() {
		if err := t.awaitVersion(ctx, slot.Version); err != nil {
			return running{}, err
		}
	}
	return t.confirm(ctx, s.Active)
}

// confirm votes for the current boot attempt and waits until the slot is active and confirmed. The attempt may not have
// started yet, so each new attempt gets a vote.
func (t *selftest) confirm(ctx context.Context, slot bootctl.Slot) (running, error) {
	var voted uint64
	s, err := t.await(ctx, fmt.Sprintf("the commit of slot %s", slot), func(s updateclient.Status) bool {
		if s.Boot != voted && t.vote(ctx, s.Boot, true, "the probe answers") == nil {
			voted = s.Boot
		}
		return s.Active == slot && s.Pending == bootctl.None && s.HealthOK
	})
	content := s.Slot(slot)
	return running{slot: slot, version: content.Version, digest: content.Digest}, err
}

// stage sends a set and checks that the staged set is the one that was sent.
func (t *selftest) stage(ctx context.Context, file string) (updateclient.Set, error) {
	staged, err := t.send(ctx, file)
	if err != nil {
		return updateclient.Set{}, fmt.Errorf("cannot stage %s: %w", file, err)
	}
	s, err := t.state(ctx)
	if err != nil {
		return updateclient.Set{}, err
	}
	if s.Slot(s.Staged).Digest != staged.Digest {
		return updateclient.Set{}, fmt.Errorf("cannot stage %s: the status does not show it", file)
	}
	return staged, nil
}

// switchTo puts a staged set on trial. It releases the capability, which is valid for one switch.
func (t *selftest) switchTo(ctx context.Context, staged updateclient.Set) error {
	defer staged.System.Release()
	return staged.Switch(ctx)
}

// awaitRollback waits until the system is back on the healthy set, and checks that the broken set is named as the cause
// and is quarantined.
func (t *selftest) awaitRollback(ctx context.Context, healthy running, broken updateclient.Set) error {
	s, err := t.await(ctx, "the rollback", func(s updateclient.Status) bool {
		return s.Pending == bootctl.None && s.LastRollback != nil && s.LastRollback.Digest == broken.Digest
	})
	if err != nil {
		return err
	}
	switch {
	case s.Active != healthy.slot || s.Slot(s.Active).Digest != healthy.digest:
		return fmt.Errorf("rolled back to slot %s, not to the healthy set in slot %s", s.Active, healthy.slot)
	case s.LastRollback.Reason != refusal.ServiceExited:
		return fmt.Errorf("rolled back for %q, not for %q", s.LastRollback.Reason, refusal.ServiceExited)
	case !slices.ContainsFunc(s.Quarantine, func(q bootctl.Quarantined) bool { return q.Digest == broken.Digest }):
		return fmt.Errorf("the broken set is not quarantined")
	}
	return nil
}

// refused stages a set that must be refused for this reason, and checks that the state did not change.
func (t *selftest) refused(ctx context.Context, file string, want refusal.Reason) error {
	before, err := t.state(ctx)
	if err != nil {
		return err
	}
	staged, err := t.send(ctx, file)
	switch {
	case err == nil:
		staged.System.Release()
		return fmt.Errorf("%s was staged, want it refused as %s", file, want)
	case refusal.Of(err) != want:
		return fmt.Errorf("%s was not refused as %s: %w", file, want, err)
	}
	after, err := t.state(ctx)
	if err == nil && !reflect.DeepEqual(before, after) {
		err = fmt.Errorf("refusing %s changed the state from %+v to %+v", file, before, after)
	}
	return err
}
