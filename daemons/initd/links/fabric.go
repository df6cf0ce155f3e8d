package links

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"capnproto.org/go/capnp/v3/exc"

	"nexus/daemons/discovery"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// A fabric is the links there are. Everything in it is guarded by the lock of the Links that it belongs to: none of its
// methods takes that, and every one is called with it held.
type fabric struct {
	rights     rights
	ends       ends
	clock      plat.Clock
	links      map[key]*link
	last       uint64            // the number of the newest link
	introduced map[string][]Edge // the links that each holder's present instance was given by name
}

// A link is one connection that initd made between two daemons, or between itself and one.
type link struct {
	number uint64 // counted from 1 over the system's run
	edge   Edge
	made   time.Time
	pause  time.Duration // after which it was made again; 0: it is the first
	healed bool          // its end was reported, so it is on its way to be made again
	own    *vat.Conn     // initd's connection, where initd is an end; else nil
}

// A key names a link by what it is good for. Under one key there is one link at a time, the newest.
type key struct{ holder, facet string }

// endow links a daemon whose new instance has this channel with all ends of its edges that run. Edges to a daemon that
// is dead now are made when that one starts.
func (f *fabric) endow(daemon string, channel *vat.Parent) (err error) {
	f.ends.channels[daemon] = channel
	delete(f.introduced, daemon) // this instance has asked for nothing yet
	if daemon == Runner {
		f.forgetBundles()
	}
	for _, row := range f.rights.table {
		for _, edge := range slices.Concat(row.Holds, f.introduced[row.Name]) {
			if row.Name == daemon || edge.From == daemon {
				err = errors.Join(err, f.link(row.Name, edge))
			}
		}
	}
	err = errors.Join(err, f.sayRevoked(daemon, channel))
	for name := range f.ends.sessions {
		for _, edge := range f.introduced[name] {
			if edge.From == daemon {
				err = errors.Join(err, f.link(name, edge))
			}
		}
	}
	return err
}

// sayRevoked tells a new instance of a daemon what its row grants and it does not get.
func (f *fabric) sayRevoked(daemon string, channel *vat.Parent) (err error) {
	for _, row := range f.rights.table {
		for _, edge := range row.Holds {
			if row.Name == daemon && f.rights.revoked[key{daemon, edge.Facet}] {
				err = errors.Join(err, channel.Revoke(edge.Facet))
			}
		}
	}
	return err
}

// forgetBundles forgets the links of bundles, which end with the daemon that ran them.
func (f *fabric) forgetBundles() {
	maps.DeleteFunc(f.links, func(k key, l *link) bool { return isBundle(k.holder) || isBundle(l.edge.From) })
}

// link connects a holder with the provider of one edge by a fresh socket, if both run.
func (f *fabric) link(holder string, edge Edge) error {
	if !f.ends.alive(holder) || !f.ends.alive(edge.From) || f.rights.withheld(holder, edge) {
		return nil
	}
	ours, theirs, err := plat.StreamPair()
	if err != nil {
		return err
	}
	defer ours.Close()
	defer theirs.Close()
	f.last++
	l := &link{number: f.last, edge: edge, made: f.clock.Now()}
	f.links[key{holder, edge.Facet}] = l
	if f.ends.leadsOut(holder) {
		delete(f.introduced, holder) // it is made once
	}
	return errors.Join(
		f.ends.grantServe(l, f.clientOf(holder, edge), theirs),
		f.ends.grantUse(holder, l, ours),
	)
}

// clientOf is the holder of a link as its provider knows it: of a session, its role and what it may do.
func (f *fabric) clientOf(holder string, edge Edge) vat.Client {
	if o := f.ends.sessions[holder]; o != nil {
		return vat.Client{Name: o.role, Grants: o.has}
	}
	return vat.Client{Name: holder, Grants: f.rights.grantsOf(holder, edge)}
}

// linkMissing makes the links of rows and introductions that are not there.
func (f *fabric) linkMissing() (err error) {
	for _, row := range f.rights.table {
		for _, edge := range slices.Concat(row.Holds, f.introduced[row.Name]) {
			if f.links[key{row.Name, edge.Facet}] == nil {
				err = errors.Join(err, f.link(row.Name, edge))
			}
		}
	}
	return err
}

// drop ends a link, which is forgotten, so that nobody makes it again for having ended. Each end is told, so it takes
// both of them to keep one.
func (f *fabric) drop(k key) error {
	l := f.links[k]
	if l == nil {
		return nil
	}
	delete(f.links, k)
	if l.own != nil {
		go l.own.Close()
	}
	return errors.Join(f.ends.cut(l.edge.From, l.number), f.ends.cut(k.holder, l.number))
}

// dropWhere drops all links of a kind.
func (f *fabric) dropWhere(is func(key, *link) bool) (err error) {
	for k, l := range f.links {
		if is(k, l) {
			err = errors.Join(err, f.drop(k))
		}
	}
	return err
}

// dropWithheld drops every link that was made by a right which is gone.
func (f *fabric) dropWithheld() error {
	return f.dropWhere(func(k key, l *link) bool { return f.rights.withheld(k.holder, l.edge) })
}

// renew has a client live with what was revoked or granted just now: its ServiceManager is replaced where names have
// changed, so that what it looked up through the old one ends with it, and so are those of the bundles that look up by
// its right; whoever waits for a facet that is gone waits no longer.
func (f *fabric) renew(client string, changed []key) (err error) {
	for _, k := range changed {
		switch {
		case strings.HasPrefix(k.facet, discovery.Facet("")):
			manager, _ := f.rights.table.edge(client, ManagerFacet)
			err = errors.Join(err, f.drop(key{client, manager.Facet}), f.link(client, manager))
			if client == Runner {
				err = errors.Join(err, f.dropWhere(func(k key, _ *link) bool {
					return isBundle(k.holder) && k.facet == ManagerFacet // they ask again
				}))
			}
		case f.rights.revoked[k] && f.ends.alive(client):
			err = errors.Join(err, f.ends.channels[client].Revoke(k.facet))
		}
	}
	return err
}

// Bounds on links that have a bundle at one end. Each of the 256 bundles of a slot has its share; the sum is for a
// runner that was taken over.
const (
	maxLinksOfBundle = 16 // held by one bundle, or for it
	maxBundleLinks   = 256 * maxLinksOfBundle
)

// linkBundle makes a link with a bundle at one end or both, in place of an earlier one.
func (f *fabric) linkBundle(holder string, edge Edge) (direct bool, err error) {
	k := key{holder, edge.Facet}
	if !f.ends.alive(holder) || !f.ends.alive(edge.From) {
		return false, nil
	}
	if of, all := f.bundleLinks(holder); f.links[k] == nil &&
		(of >= maxLinksOfBundle && isBundle(holder) || all >= maxBundleLinks) {
		return false, exc.New(exc.Overloaded, "", fmt.Sprintf("too many links: the limit is %d", maxLinksOfBundle))
	}
	if err := f.drop(k); err != nil {
		return false, err
	}
	return true, f.link(holder, edge)
}

// bundleLinks counts the links with a bundle at one end: those of one holder, or held for it, and all.
func (f *fabric) bundleLinks(holder string) (of, all int) {
	holder = strings.TrimSuffix(holder, heldMark)
	for k, l := range f.links {
		if isBundle(k.holder) || isBundle(l.edge.From) {
			all++
		}
		if strings.TrimSuffix(k.holder, heldMark) == holder {
			of++
		}
	}
	return of, all
}
