package initd

import (
	"time"

	"nexus/daemons/vat"
)

// linkEnded takes a holder's word that one of its links has ended, and sees to it that the link is made again. When an
// end of it died, its restart makes the links anew and this one is history; a link whose two ends live has ended for
// another reason: a guard closed it, or an end was stopped while it was written to. Only the newest link of a facet
// counts, once, so a daemon that reports what it likes gains nothing by it. Links with a bundle at an end are
// forgotten: who wants one asks for it.
func (s *system) linkEnded(holder string, ended vat.Ended) {
	key := linkKey{holder, ended.Facet}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.links[key]
	switch {
	case holder == runner && (l == nil || l.number != ended.Link):
		s.forgetLink(ended)
		return
	case l == nil || l.number != ended.Link || l.healed:
		return
	case isBundle(l.edge.From):
		s.drop(key)
		return
	}
	l.healed = true
	go s.heal(key, l)
}

// forgetLink takes the word of the daemon that runs bundles for the end of a link that one of them used.
func (s *system) forgetLink(ended vat.Ended) {
	for key, l := range s.links {
		if isBundle(key.holder) && key.facet == ended.Facet && l.number == ended.Link {
			s.drop(key)
		}
	}
}

// heal makes a link again after a pause, which doubles from one time to the next unless the link held for a while in
// between.
func (s *system) heal(key linkKey, l *link) {
	pause := firstPause
	if s.host.Clock.Now().Sub(l.made) <= goodLife {
		pause = l.pause
	}
	for {
		select {
		case <-s.host.Clock.After(pause):
		case <-s.down:
			return
		}
		pause = min(2*pause, maxPause)
		if s.relink(key, l, pause) {
			return
		}
	}
}

// relink tells whether there is nothing more to do for a link that ended: it was made again, here or by a restart, or
// will be by one.
func (s *system) relink(key linkKey, l *link, pause time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.links[key] != l || !s.alive(key.holder) || !s.alive(l.edge.From) {
		return true
	}
	if err := s.link(key.holder, l.edge); err != nil {
		s.links[key] = l // there is no descriptor for it now
		return false
	}
	s.links[key].pause = pause
	s.log.Warn("link made again", "holder", key.holder, "facet", key.facet, "provider", l.edge.From)
	return true
}
