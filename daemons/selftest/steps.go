package selftest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"reflect"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
)

// A selftest is the client and its grants.
type selftest struct {
	host       plat.Host
	log        *logclient.Log
	sets       *os.Root
	endowments *vat.Endowments
	votes      *vat.Holding
}

// A stagedSet is a set the selftest has staged.
type stagedSet struct {
	slot    bootrecord.Slot
	version string
	digest  []byte
	system  update.StagedSystem
}

// A running is a confirmed set.
type running struct {
	slot    bootrecord.Slot
	version string
	digest  []byte
}

// confirmStart waits until the probe answers with the version of the active slot, and confirms that slot.
func (t *selftest) confirmStart(ctx context.Context) (running, error) {
	s, err := t.await(ctx, "the first boot attempt", func(s state) bool { return s.boot > 0 })
	if err != nil {
		return running{}, err
	}
	slot := s.slot(s.active)
	if len(slot.digest) > 0 {
		if err := t.awaitVersion(ctx, slot.version); err != nil {
			return running{}, err
		}
	}
	return t.confirm(ctx, s.active)
}

// confirm votes for the current boot attempt and waits until the slot is active and confirmed. The attempt may not have
// started yet, so each new attempt gets a vote.
func (t *selftest) confirm(ctx context.Context, slot bootrecord.Slot) (running, error) {
	var voted uint64
	s, err := t.await(ctx, fmt.Sprintf("the commit of slot %s", slot), func(s state) bool {
		if s.boot != voted && t.vote(ctx, s.boot, true, "the probe answers") == nil {
			voted = s.boot
		}
		return s.active == slot && s.pending == bootrecord.Slot_none && s.healthOK
	})
	content := s.slot(slot)
	return running{slot: slot, version: content.version, digest: content.digest}, err
}

// stage sends a set and checks that the staged set is the one that was sent.
func (t *selftest) stage(ctx context.Context, file string) (stagedSet, error) {
	staged, err := t.send(ctx, file)
	if err != nil {
		return stagedSet{}, fmt.Errorf("cannot stage %s: %w", file, err)
	}
	s, err := t.state(ctx)
	if err != nil {
		return stagedSet{}, err
	}
	if s.staged != staged.slot || !bytes.Equal(s.slot(staged.slot).digest, staged.digest) {
		return stagedSet{}, fmt.Errorf("cannot stage %s: slot %s does not show it", file, staged.slot)
	}
	return staged, nil
}

// switchTo puts a staged set on trial. It releases the capability, which is valid for one switch.
func (t *selftest) switchTo(ctx context.Context, staged stagedSet) error {
	defer staged.system.Release()
	answer, release := staged.system.Switch(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	return convert.Refused(res.Refusal())
}

// awaitRollback waits until the system is back on the healthy set, and checks that the broken set is named as the cause
// and is quarantined.
func (t *selftest) awaitRollback(ctx context.Context, healthy running, broken stagedSet) error {
	s, err := t.await(ctx, "the rollback", func(s state) bool {
		return s.pending == bootrecord.Slot_none && bytes.Equal(s.rolledBack, broken.digest)
	})
	if err != nil {
		return err
	}
	switch {
	case s.active != healthy.slot || !bytes.Equal(s.slot(s.active).digest, healthy.digest):
		return fmt.Errorf("rolled back to slot %s, not to the healthy set in slot %s", s.active, healthy.slot)
	case s.rollbackReason != string(refusal.ServiceExited):
		return fmt.Errorf("rolled back for %q, not for %q", s.rollbackReason, refusal.ServiceExited)
	case !s.isQuarantined(broken.digest):
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
		staged.system.Release()
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
