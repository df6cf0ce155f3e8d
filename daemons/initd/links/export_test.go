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
