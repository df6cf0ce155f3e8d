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

// A fabric is the set of links. The lock of its Links guards it: each method is called with the lock held.
type fabric struct {
	rights     rights
	ends       ends
	clock      plat.Clock
	links      map[key]*link
	last       uint64            // the number of the newest link
	introduced map[string][]Edge // links that each holder's current instance got by looking up names
}

// A link is one connection that initd made between two daemons, or between itself and a daemon.
type link struct {
	number uint64 // unique in a run of the system, from 1
	edge   Edge
	made   time.Time
	pause  time.Duration // after which it was made again; 0: it is the first one
	healed bool          // its end was reported, and it is about to be made again
	fresh  bool          // Resume made it, and its holder has not asked for it since
	own    *vat.Conn     // initd's connection, where initd is an end; else nil
}

// A key names the purpose of a link. Each key has one link at a time, the newest.
type key struct{ holder, facet string }

// endow links a daemon's new instance, which has this channel, with the other ends of its edges that run. The rest are
// linked when they start.
func (f *fabric) endow(daemon string, channel *vat.Parent) (err error) {
	f.ends.channels[daemon] = channel
	delete(f.introduced, daemon) // this instance has not looked up anything yet
	maps.DeleteFunc(f.links, func(k key, l *link) bool { return k.holder == daemon && isBundle(l.edge.From) })
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

// sayRevoked tells a daemon's new instance what was revoked from its row.
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

// link connects a holder with the provider of an edge by a new socket pair, if both run.
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
		delete(f.introduced, holder) // a direct link is made once
	}
	return errors.Join(
		f.ends.grantServe(l, f.clientOf(holder, edge), theirs),
		f.ends.grantUse(holder, l, ours),
	)
}

// clientOf returns the holder of a link as its provider sees it: for a session, its role and methods.
func (f *fabric) clientOf(holder string, edge Edge) vat.Client {
	if o := f.ends.sessions[holder]; o != nil {
		return o.Client()
	}
	return vat.Client{Name: holder, Grants: f.rights.grantsOf(holder, edge)}
}

// linkMissing makes the missing links of rows and introductions.
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

// drop ends a link and forgets it, so that it is not made again. Both ends are told, so one of them alone cannot keep
// it.
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

// dropWhere drops all links that match.
func (f *fabric) dropWhere(is func(key, *link) bool) (err error) {
	for k, l := range f.links {
		if is(k, l) {
			err = errors.Join(err, f.drop(k))
		}
	}
	return err
}

// dropWithheld drops every link whose right was revoked.
func (f *fabric) dropWithheld() error {
	return f.dropWhere(func(k key, l *link) bool { return f.rights.withheld(k.holder, l.edge) })
}

// renew applies what was just revoked or granted to a client. If names have changed, its ServiceManager is replaced, so
// that what it looked up through the old one ends, and so are those of bundles that look up by its right. Waits for a
// revoked facet end.
func (f *fabric) renew(client string, changed []key) (err error) {
	for _, k := range changed {
		switch {
		case strings.HasPrefix(k.facet, discovery.Facet("")):
			manager, _ := f.rights.table.edge(client, ManagerFacet)
			err = errors.Join(err, f.drop(key{client, manager.Facet}), f.link(client, manager))
			if client == Runner {
				err = errors.Join(err, f.dropWhere(func(k key, _ *link) bool {
					return isBundle(k.holder) && k.facet == ManagerFacet // they look it up again
				}))
			}
		case f.rights.revoked[k] && f.ends.alive(client):
			err = errors.Join(err, f.ends.channels[client].Revoke(k.facet))
		}
	}
	return err
}

// Bounds on links with a bundle at one end. Each of a slot's 256 bundles has its share; the total is a bound on a
// hostile runner.
const (
	maxLinksOfBundle = 16 // held by one bundle, or for it
	maxBundleLinks   = 256 * maxLinksOfBundle
)

// linkBundle makes a link with a bundle at one end or both, and replaces an earlier one, unless that was just made for
// a holder that did not know yet.
func (f *fabric) linkBundle(holder string, edge Edge) (direct bool, err error) {
	k := key{holder, edge.Facet}
	if !f.ends.alive(holder) || !f.ends.alive(edge.From) {
		return false, nil
	}
	if it := f.links[k]; it != nil && it.fresh {
		it.fresh = false
		return true, nil
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
