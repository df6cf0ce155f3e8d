package links

import (
	"time"

	"nexus/daemons/vat"
)

// Ended takes a holder's word that one of its links has ended, and sees to it that the link is made again. When an end
// of it died, its restart makes the links anew and this one is history; a link whose two ends run has ended for another
// reason: a guard closed it, or an end was stopped while it was written to. Only the newest link of a facet counts,
// once, so a daemon that reports what it likes gains nothing by it. Links with a bundle at an end are forgotten: who
// wants one asks for it.
func (l *Links) Ended(holder string, ended vat.Ended) {
	k := key{holder, ended.Facet}
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &l.fabric
	it := f.links[k]
	switch {
	case holder == Runner && (it == nil || it.number != ended.Link):
		f.dropWhere(func(k key, it *link) bool { // the runner's word for a link that a bundle used
			return isBundle(k.holder) && k.facet == ended.Facet && it.number == ended.Link
		})
		return
	case it == nil || it.number != ended.Link || it.healed:
		return
	case isBundle(it.edge.From):
		f.drop(k)
		return
	}
	it.healed = true
	go l.heal(k, it)
}

// heal makes a link again after a pause, which doubles from one time to the next unless the link held for a while in
// between.
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

// relink reports whether there is nothing more to do for a link that ended: it was made again, here or by a restart, or
// will be by one.
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
