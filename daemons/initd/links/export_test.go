package links

import "nexus/daemons/vat"

// Pretend has a daemon run that is linked with nobody.
func (l *Links) Pretend(daemon string, channel *vat.Parent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fabric.ends.channels[daemon] = channel
}

// Count says how much there is.
func (l *Links) Count() (links, introduced int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.fabric.links), len(l.fabric.introduced)
}

// Link makes a link again.
func (l *Links) Link(holder string, edge Edge) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fabric.link(holder, edge)
}

// Number is the number of a holder's link, 0 for none.
func (l *Links) Number(holder, facet string) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if it := l.fabric.links[key{holder, facet}]; it != nil {
		return it.number
	}
	return 0
}
