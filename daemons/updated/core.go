package updated

import (
	"context"
	"fmt"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/update"
	"nexus/daemons/blob"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// readCore takes up which core the system runs from: the digest of its payload, or nothing for the one that the machine
// started with.
func (e *engine) readCore(ctx context.Context, b *vat.Endowments) error {
	setting, err := oneSetting(ctx, b, "core")
	if err != nil || setting == "" {
		return err
	}
	if e.core, err = nxs.ParseDigest(setting); err != nil {
		return fmt.Errorf("cannot use setting core: %w", err)
	}
	return nil
}

// successor tells which core has to take over before anything of a slot runs: a set runs on the core that it was signed
// with.
func (e *engine) successor(slot bootctl.Slot) update.HandOver {
	core, carried := nxs.Core(e.content(slot).Bundles)
	switch {
	case carried && core.PayloadSHA256 != e.core:
		return update.HandOver_slot
	case !carried && !e.core.IsZero():
		return update.HandOver_image
	}
	return update.HandOver_none
}

// coreVersion is the version of the core that runs, as far as a slot holds its set; empty for the one that the machine
// started with. The caller holds mu.
func (e *engine) coreVersion() string {
	for _, content := range e.contents {
		if core, carried := nxs.Core(content.Bundles); carried && core.PayloadSHA256 == e.core {
			return core.Version
		}
	}
	return ""
}

// Core hands out what the first process needs to hand over to the core of the current attempt: it verifies that by
// itself.
func (g *gateServer) Core(_ context.Context, call update.HealthGate_core) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	core, err := g.engine.openCore()
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	blob := bundle.Blob_ServerToClient(&blob.Blob{File: core.Payload, Digest: core.Entry.PayloadSHA256})
	if err := res.SetPayload(blob); err != nil {
		return err
	}
	if err := res.SetIndex(core.Index); err != nil {
		return err
	}
	return res.SetSignature(core.Signature)
}

// openCore opens the core of the slot that the current attempt is for.
func (e *engine) openCore() (*slots.Core, error) {
	r := e.snapshot()
	if !r.Begun() {
		return nil, refusal.New(refusal.WrongBoot, "no attempt is under way")
	}
	return e.store.OpenCore(r.Running())
}
