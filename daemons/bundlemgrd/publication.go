package bundlemgrd

import (
	"errors"
	"slices"
	"strings"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/slots"
)

// A publication is one published set: of the system or, in apps, of a package. It is immutable; the next one replaces
// it. In the zero value nothing is published.
type publication struct {
	app     string // the package; empty: the system
	slot    bootctl.Slot
	digest  nxs.Digest // zero for an empty slot
	boot    uint64
	set     *slots.Set  // nil for an empty slot
	bundles []published // in byte order of their names

	// Of the system's: the packages of apps, in byte order of their names, and whether these are all.
	apps     []*publication
	complete bool
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

// find returns the bundle with this name, and the publication that has it: the system's, or one of an app.
func (p *publication) find(name string) (of *publication, b published, found bool) {
	for _, of := range append([]*publication{p}, p.apps...) {
		if b, found := of.bundle(name); found {
			return of, b, true
		}
	}
	return nil, published{}, false
}

// ofApp returns the publication of a package; the zero value if it has none.
func (p *publication) ofApp(name string) *publication {
	for _, app := range p.apps {
		if app.app == name {
			return app
		}
	}
	return &publication{app: name}
}

// with returns the publication with a package's next one.
func (p *publication) with(app *publication) *publication {
	next := *p
	next.apps = slices.DeleteFunc(slices.Clone(p.apps), func(was *publication) bool { return was.app == app.app })
	next.apps = append(next.apps, app)
	slices.SortFunc(next.apps, func(a, b *publication) int { return strings.Compare(a.app, b.app) })
	return &next
}

// retaining returns the publication with these packages only.
func (p *publication) retaining(names []string) *publication {
	next := *p
	next.complete = true
	next.apps = slices.DeleteFunc(slices.Clone(p.apps),
		func(app *publication) bool { return !slices.Contains(names, app.app) })
	return &next
}

// beside returns the system's next publication with the packages of this one. A package with a name of the system is
// not published beside it.
func (p *publication) beside(system *publication) *publication {
	next := *system
	next.complete = p.complete
	next.apps = slices.DeleteFunc(slices.Clone(p.apps), func(app *publication) bool { return system.meets(app) != "" })
	return &next
}

// meets returns a name that both publications have; empty: there is none.
func (p *publication) meets(other *publication) string {
	for _, b := range other.bundles {
		if _, has := p.bundle(b.Entry.Name); has {
			return b.Entry.Name
		}
	}
	return ""
}

// bundle returns the bundle of this set with this name.
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
	return p.fillApps(m)
}

// size returns what the publication takes of a message, in bytes.
func (p *publication) size() (uint64, error) {
	msg, arena := capnp.NewSingleSegmentMessage(nil)
	defer msg.Release()
	m, err := bundle.NewRootPublication(arena)
	if err != nil {
		return 0, err
	}
	if err := p.fill(m); err != nil {
		return 0, err
	}
	return msg.TotalSize()
}

func (p *publication) fillApps(m bundle.Publication) error {
	m.SetComplete(p.complete)
	if err := m.SetApp(p.app); err != nil || len(p.apps) == 0 {
		return err
	}
	list, err := m.NewApps(int32(len(p.apps)))
	if err != nil {
		return err
	}
	for i, app := range p.apps {
		if err := app.fill(list.At(i)); err != nil {
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
