package selftest

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"slices"

	"nexus/capnpgen/update"
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
	apps       *vat.Holding
}

// A target is what sets are for: the system, or a package of apps.
type target struct {
	*selftest
	open  func(context.Context) (update.Updated, error)
	probe string // the service whose version shows which set runs
	votes bool   // a commit waits for a vote of the selftest
}

// A running is a confirmed set.
type running struct {
	slot    bootctl.Slot
	version string
	digest  bootctl.Digest
}

// confirmStart waits until the probe answers with the version of the active slot, and confirms that slot.
func (t target) confirmStart(ctx context.Context) (running, error) {
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

// confirm waits until the slot is active and confirmed, and votes for the current boot attempt where that is wanted.
// The attempt may not have started yet, so each new attempt gets a vote.
func (t target) confirm(ctx context.Context, slot bootctl.Slot) (running, error) {
	var voted uint64
	s, err := t.await(ctx, fmt.Sprintf("the commit of slot %s", slot), func(s updateclient.Status) bool {
		if t.votes && s.Boot != voted && t.vote(ctx, s.Boot, true, "the probe answers") == nil {
			voted = s.Boot
		}
		return s.Active == slot && s.Pending == bootctl.None && s.HealthOK
	})
	content := s.Slot(slot)
	return running{slot: slot, version: content.Version, digest: content.Digest}, err
}

// stage sends a set and checks that the staged set is the one that was sent.
func (t target) stage(ctx context.Context, file string) (updateclient.Set, error) {
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
func switchTo(ctx context.Context, staged updateclient.Set) error {
	defer staged.System.Release()
	return staged.Switch(ctx)
}

// awaitRollback waits until the system is back on the healthy set, and checks that the broken set is named as the cause
// and is quarantined.
func (t target) awaitRollback(ctx context.Context, healthy running, broken updateclient.Set) error {
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

// returns switches to a broken set, and sees the healthy one come back by itself. The broken one does not come again.
func (t target) returns(ctx context.Context, file string, healthy running) (broken updateclient.Set, err error) {
	if broken, err = t.stage(ctx, file); err != nil {
		return broken, err
	}
	if err := switchTo(ctx, broken); err != nil {
		return broken, err
	}
	if err := t.awaitRollback(ctx, healthy, broken); err != nil {
		return broken, err
	}
	if err := t.awaitVersion(ctx, healthy.version); err != nil {
		return broken, err
	}
	if _, err := t.confirm(ctx, healthy.slot); err != nil {
		return broken, err
	}
	return broken, t.refused(ctx, file, refusal.Quarantined)
}

// refused stages a set that must be refused for this reason, and checks that the state did not change.
func (t target) refused(ctx context.Context, file string, want refusal.Reason) error {
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
