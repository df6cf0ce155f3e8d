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
	slot   bootrecord.Slot
	digest []byte
	boot   uint64
	all    []spec   // its bundles, in byte order of their names
	specs  []spec   // the services among them
	quorum int      // how many of the optional ones must be healthy
	powers []string // that any of its bundles asks for
}

// A spec is one bundle as it is to be run.
type spec struct {
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
	user      uint32 // that its program runs as, where initd is root; see supervisor.assign
	// optional says that a commit does not need this bundle.
	optional bool
}

// same reports whether two publications are equal: bundlemgrd sends the same one again after it or updated has
// restarted.
func (p publication) same(q publication) bool {
	return p.slot == q.slot && p.boot == q.boot && bytes.Equal(p.digest, q.digest)
}

func readPublication(m bundle.Publication) (publication, error) {
	digest, err := m.IndexSha256()
	if err != nil {
		return publication{}, err
	}
	p := publication{slot: m.Slot(), boot: m.Boot(), quorum: int(m.Quorum()), digest: bytes.Clone(digest)}
	all, err := readSpecs(m)
	if err != nil {
		return publication{}, err
	}
	for _, s := range all {
		p.powers = append(p.powers, s.powers...)
	}
	p.all, p.specs = all, servicesAmong(all)
	return p, nil
}

// servicesAmong returns the services among bundles.
func servicesAmong(all []spec) []spec {
	return slices.DeleteFunc(slices.Clone(all), func(s spec) bool {
		return !slices.Contains(s.abilities, nxb.AbilityService)
	})
}

// readSpecs reads all bundles of a publication.
func readSpecs(m bundle.Publication) (all []spec, err error) {
	digest, err := m.IndexSha256()
	if err != nil {
		return nil, err
	}
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
		s, err := readSpec(list.At(i), m.Slot())
		if err != nil {
			return nil, err
		}
		s.publisher, s.set = bytes.Clone(publisher), bytes.Clone(digest)
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
