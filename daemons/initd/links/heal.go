package links

import (
	"errors"
	"slices"
	"time"

	"nexus/daemons/vat"
)

// Ended handles a holder's report that one of its links has ended, and has the link made again. If an end died, its
// restart makes its links again anyway. If both ends run, the link ended for another reason: a guard closed it, or one
// end was stopped while the other wrote. Only a report about the newest link of a facet counts, and only once, so false
// reports gain nothing. The runner reports the links that bundles no longer use; these are forgotten. A link to a
// bundle is kept for when another program serves in place of the one that has ended (Resume).
func (l *Links) Ended(holder string, ended vat.Ended) {
	k := key{holder, ended.Facet}
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &l.fabric
	it := f.links[k]
	switch {
	case holder == Runner && (it == nil || it.number != ended.Link):
		f.dropWhere(func(k key, it *link) bool { // the runner reports a link that a bundle used
			return isBundle(k.holder) && k.facet == ended.Facet && it.number == ended.Link
		})
		return
	case it == nil || it.number != ended.Link || it.healed:
		return
	case isBundle(it.edge.From):
		return
	}
	it.healed = true
	go l.heal(k, it)
}

// Resume makes links again that a program of a bundle served, which has ended: the runner says that another one serves
// in its place. It makes only what its holder still has, and may still have.
func (l *Links) Resume(numbers []uint64) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &l.fabric
	for k, it := range f.links {
		if isBundle(it.edge.From) && slices.Contains(numbers, it.number) {
			err = errors.Join(err, f.link(k.holder, it.edge))
			f.links[k].fresh = f.links[k] != it
		}
	}
	return err
}

// heal makes a link again after a pause, which doubles each time unless the link has held for a while.
func (l *Links) heal(k key, ended *link) {
	pause := l.backoff.Next(ended.pause, l.clock.Now().Sub(ended.made))
	for {
		select {
		case <-l.clock.After(pause):
		case <-l.down:
			return
		}
		if l.relink(k, ended, pause) {
			return
		}
		pause = l.backoff.Next(pause, 0)
	}
}

// relink reports whether nothing is left to do for a link that ended: it was made again, here or by a restart, or a
// restart will make it.
func (l *Links) relink(k key, ended *link, pause time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &l.fabric
	if f.links[k] != ended || !f.ends.alive(k.holder) || !f.ends.alive(ended.edge.From) {
		return true
	}
	if err := f.link(k.holder, ended.edge); err != nil {
		f.links[k] = ended // there is no descriptor for it now
		return false
	}
	f.links[k].pause = pause
	l.log.Warn("link made again", "holder", k.holder, "facet", k.facet, "provider", ended.edge.From)
	return true
}
