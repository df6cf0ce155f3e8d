package bundlemgrd

import (
	"errors"
	"io/fs"

	"nexus/daemons/blob"
	"nexus/daemons/plat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/tree"
)

// open makes a publication from a slot. It fails if the slot holds another set, or if a service in it is not a program
// for this machine.
func open(files durable.ReadFS, slot bootctl.Slot, digest nxs.Digest, boot uint64) (*publication, error) {
	p := &publication{slot: slot, digest: digest, boot: boot}
	if slot != bootctl.None && digest.IsZero() {
		return p, checkEmpty(files, slot)
	}
	set, err := slots.OpenSet(files, slot, digest)
	if err != nil {
		return nil, err
	}
	p.set = set
	for _, b := range set.Bundles {
		if err := checkPayload(set, b); err != nil {
			return nil, err
		}
		size, err := manifestSize(set, b)
		if err != nil {
			return nil, err
		}
		p.bundles = append(p.bundles, published{b, size})
	}
	return p, nil
}

// checkEmpty refuses a slot that is not empty. An empty slot has no link (package slots).
func checkEmpty(files durable.ReadFS, slot bootctl.Slot) error {
	_, err := files.Readlink(slot.String())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil && !errors.Is(err, durable.ErrKind):
		return err
	default:
		return refusal.New(refusal.SlotMismatch, "cannot open slot %s: it is not empty", slot)
	}
}

// checkPayload refuses a service or core that is not a program for this machine, and data that is not a tree. The
// payload of any other bundle may contain anything.
func checkPayload(set *slots.Set, b slots.Bundle) error {
	runs := b.Manifest.IsService() || b.Entry.Name == nxs.CoreName
	if !runs && !b.Manifest.IsData() {
		return nil
	}
	payload, err := set.OpenPayload(b.Entry.Name)
	if err != nil {
		return err
	}
	defer payload.Close()
	if !runs {
		if err := tree.Check(payload, payload.Size()); err != nil {
			return refusal.New(refusal.Of(err), "cannot use %s/payload.elf: %v", b.Entry.Name, err)
		}
		return nil
	}
	if err := nxb.CheckELF(payload, payload.Size(), plat.Machine()); err != nil {
		return refusal.New(refusal.Of(err), "cannot run %s/payload.elf: %v", b.Entry.Name, err)
	}
	return nil
}

func manifestSize(set *slots.Set, b slots.Bundle) (int64, error) {
	manifest, err := set.OpenManifest(b.Entry.Name)
	if err != nil {
		return 0, err
	}
	defer manifest.Close()
	return manifest.Size(), nil
}

// An opener opens one of the files of a bundle.
type opener func(*publication, published) (*blob.Blob, error)

func payloadOf(p *publication, b published) (*blob.Blob, error) {
	file, err := p.set.OpenPayload(b.Entry.Name)
	if err != nil {
		return nil, err
	}
	return &blob.Blob{File: file, Digest: b.Entry.PayloadSHA256}, nil
}

func manifestOf(p *publication, b published) (*blob.Blob, error) {
	file, err := p.set.OpenManifest(b.Entry.Name)
	if err != nil {
		return nil, err
	}
	return &blob.Blob{File: file, Digest: b.Entry.ManifestSHA256}, nil
}
