package bundlemgrd

import (
	"errors"
	"slices"
	"strings"

	"nexus/capnpgen/bundle"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/slots"
)

// A publication is one published set. It is immutable; the next one replaces it. In the zero value nothing is
// published.
type publication struct {
	slot    bootctl.Slot
	digest  nxs.Digest // zero for an empty slot
	boot    uint64
	set     *slots.Set  // nil for an empty slot
	bundles []published // in byte order of their names
}

// A published bundle is a bundle of the set, with details that are not in the index.
type published struct {
	slots.Bundle
	manifestSize int64
}

// same reports whether both publications are for the same set and boot attempt. A publisher that restarts publishes the
// same again.
func (p *publication) same(q *publication) bool {
	return p.slot == q.slot && p.digest == q.digest && p.boot == q.boot
}

// bundle returns the bundle with this name.
func (p *publication) bundle(name string) (published, bool) {
	i, found := slices.BinarySearchFunc(p.bundles, name, func(b published, name string) int {
		return strings.Compare(b.Entry.Name, name)
	})
	if !found {
		return published{}, false
	}
	return p.bundles[i], true
}

// fill writes the publication into a message.
func (p *publication) fill(m bundle.Publication) error {
	m.SetSlot(convert.Slot(p.slot))
	m.SetBoot(p.boot)
	if err := m.SetIndexSha256(convert.Digest(p.digest)); err != nil {
		return err
	}
	if p.set != nil {
		m.SetQuorum(uint16(p.set.Index.Health.Quorum))
		if err := errors.Join(m.SetSystemVersion(p.set.Index.SystemVersion),
			m.SetPublisher(p.set.Index.Publisher[:])); err != nil {
			return err
		}
	}
	list, err := m.NewBundles(int32(len(p.bundles)))
	if err != nil {
		return err
	}
	for i, b := range p.bundles {
		if err := b.fill(list.At(i)); err != nil {
			return err
		}
	}
	return nil
}

func (b published) fill(m bundle.Bundle) error {
	m.SetPayloadSize(uint64(b.Entry.PayloadSize))
	m.SetManifestSize(uint64(b.manifestSize))
	m.SetOptional(b.Entry.Optional)
	if err := errors.Join(m.SetName(b.Entry.Name), m.SetVersion(b.Entry.Version),
		m.SetPayloadSha256(b.Entry.PayloadSHA256[:])); err != nil {
		return err
	}
	if !b.Entry.PayloadVerity.IsZero() {
		if err := m.SetPayloadVerity(b.Entry.PayloadVerity[:]); err != nil {
			return err
		}
	}
	return errors.Join(
		m.SetManifestSha256(b.Entry.ManifestSHA256[:]), vat.SetTexts(m.NewAbilities, b.Manifest.Abilities),
		vat.SetTexts(m.NewCapabilities, b.Manifest.Capabilities), vat.SetTexts(m.NewArgs, b.Manifest.Args),
		vat.SetTexts(m.NewEnvironment, b.Manifest.Environment),
	)
}
