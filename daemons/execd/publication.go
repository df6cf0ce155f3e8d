package execd

import (
	"bytes"
	"context"
	"slices"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/bundle"
	"nexus/daemons/vat"
	"nexus/libupdates/bundlestate"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/powers"
)

// A publication is what bundlemgrd has published, as far as execd needs it.
type publication struct {
	app     string // the package of apps; empty: the system
	slot    bootrecord.Slot
	digest  []byte
	boot    uint64
	bundles []spec // in byte order of their names
	quorum  int    // how many of the optional services must be healthy

	// Of the system's: those of packages of apps, and whether these are all.
	apps     []publication
	complete bool
}

// A spec is one bundle as it is to be run.
type spec struct {
	app       string // the package of apps that it is of; empty: the system
	name      string
	version   string
	identity  bundlestate.Identity
	grants    []string // names that it asks for
	powers    []string // what it asks for beside names
	abilities []string
	data      map[string]spec // the data bundles that it asks for, as far as its set has them
	args      []string
	environ   []string // NAME=value
	publisher []byte   // of its set
	set       []byte   // SHA-256 of the index of its set
	digest    nxs.Digest
	verity    nxs.Digest // zero if the index has none
	size      int64
	slot      bootrecord.Slot
	native    bool   // its manifest says that it exports Service
	user      uint32 // that its program runs as, where initd is root; see users
	// optional says that a commit does not need this bundle.
	optional bool
}

// same reports whether two publications are equal: bundlemgrd sends the same one again after it or updated has
// restarted.
func (p publication) same(q publication) bool {
	return p.slot == q.slot && p.boot == q.boot && bytes.Equal(p.digest, q.digest)
}

// readPublication reads a publication of the system, with those of apps.
func readPublication(m bundle.Publication) (publication, error) {
	apps, err := m.Apps()
	if err != nil {
		return publication{}, err
	}
	p, err := readOne(m)
	if err != nil {
		return publication{}, err
	}
	p.complete = m.Complete()
	for i := range apps.Len() {
		app, err := readOne(apps.At(i))
		if err != nil {
			return publication{}, err
		}
		p.apps = append(p.apps, app)
	}
	return p, nil
}

// services returns the services among the bundles.
func (p publication) services() []spec {
	return slices.DeleteFunc(slices.Clone(p.bundles), func(s spec) bool {
		return !slices.Contains(s.abilities, nxb.AbilityService)
	})
}

// all returns the bundles of the system and of apps.
func (p publication) all() []spec {
	all := slices.Clone(p.bundles)
	for _, app := range p.apps {
		all = append(all, app.bundles...)
	}
	return all
}

// powers returns what any bundle of the system or of an app asks for.
func (p publication) powers() (all []string) {
	for _, s := range p.all() {
		all = append(all, s.powers...)
	}
	return all
}

// readOne reads one publication by itself.
func readOne(m bundle.Publication) (publication, error) {
	digest, err := m.IndexSha256()
	if err != nil {
		return publication{}, err
	}
	p := publication{slot: m.Slot(), boot: m.Boot(), quorum: int(m.Quorum()), digest: bytes.Clone(digest)}
	if p.app, err = m.App(); err != nil {
		return publication{}, err
	}
	p.bundles, err = p.readSpecs(m)
	return p, err
}

// readSpecs reads all bundles of a publication of which the rest has been read.
func (p publication) readSpecs(m bundle.Publication) (all []spec, err error) {
	publisher, err := m.Publisher()
	if err != nil {
		return nil, err
	}
	list, err := m.Bundles()
	if err != nil {
		return nil, err
	}
	trees := map[string]spec{}
	for i := range list.Len() {
		s, err := readSpec(list.At(i), p.slot)
		if err != nil {
			return nil, err
		}
		s.app, s.publisher, s.set = p.app, bytes.Clone(publisher), p.digest
		if slices.Contains(s.abilities, nxb.AbilityData) {
			trees[s.name] = s
		}
		all = append(all, s)
	}
	for i := range all {
		all[i].takeData(trees)
	}
	return all, nil
}

// takeData keeps those of the data bundles that the bundle asks for.
func (s *spec) takeData(trees map[string]spec) {
	s.data = map[string]spec{}
	for _, power := range powers.Of(powers.Data, s.powers) {
		if tree, there := trees[power.Name]; there {
			s.data[power.Name] = tree
		}
	}
}

func readSpec(m bundle.Bundle, slot bootrecord.Slot) (s spec, err error) {
	s = spec{slot: slot, size: int64(m.PayloadSize()), optional: m.Optional()}
	if s.name, err = m.Name(); err != nil {
		return s, err
	}
	if s.version, err = m.Version(); err != nil {
		return s, err
	}
	digest, err := m.PayloadSha256()
	if err != nil {
		return s, err
	}
	verity, err := m.PayloadVerity()
	if err != nil {
		return s, err
	}
	manifest, err := m.ManifestSha256()
	if err != nil {
		return s, err
	}
	entry := nxs.Entry{}
	copy(s.digest[:], digest)
	copy(s.verity[:], verity)
	copy(entry.ManifestSHA256[:], manifest)
	entry.PayloadSHA256 = s.digest
	s.identity = bundlestate.IdentityOf(entry)
	err = s.readLists(m)
	s.native = slices.Contains(s.abilities, nxb.AbilityNative)
	return s, err
}

// readLists reads what a bundle can do, asks for and is started with.
func (s *spec) readLists(m bundle.Bundle) error {
	var capabilities []string
	for _, list := range []struct {
		into *[]string
		read func() (capnp.TextList, error)
	}{
		{&capabilities, m.Capabilities}, {&s.args, m.Args}, {&s.environ, m.Environment}, {&s.abilities, m.Abilities},
	} {
		texts, err := list.read()
		if err != nil {
			return err
		}
		if *list.into, err = vat.Texts(texts); err != nil {
			return err
		}
	}
	s.powers = powers.Among(capabilities)
	s.grants = slices.DeleteFunc(capabilities, powers.IsPower)
	return nil
}

// A publicationObserver passes on the newest publication.
type publicationObserver struct {
	news chan publication
	gone chan struct{} // closed when it was let go
}

// Shutdown is called when bundlemgrd has released the observer.
func (o *publicationObserver) Shutdown() { close(o.gone) }

func (o *publicationObserver) OnPublished(_ context.Context, call bundle.PublicationObserver_onPublished) error {
	m, err := call.Args().Publication()
	if err != nil {
		return err
	}
	p, err := readPublication(m)
	if err != nil {
		return err
	}
	for {
		select {
		case o.news <- p:
			return nil
		default:
		}
		select {
		case <-o.news:
		default:
		}
	}
}
