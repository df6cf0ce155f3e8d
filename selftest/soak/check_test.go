package soak

import (
	"errors"
	"fmt"
	"time"

	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// check compares slots, publication, services, history, journal and what is left over with the state. What was under
// way when the state became quiet has until checkBound to end; what is still wrong then is a finding.
func (s *Soak) check() error {
	for begun := time.Now(); ; time.Sleep(10 * kit.LookPause) {
		found := s.findings()
		if len(found) == 0 || time.Since(begun) > checkBound {
			return errors.Join(found...)
		}
	}
}

// findings are all that is wrong now.
func (s *Soak) findings() []error {
	found := append(s.slots(), s.published()...)
	found = append(found, s.host.Services(s.sets.Known(s.state.Active().Digest()), s.state.ActiveSlot)...)
	found = append(found, s.host.History(s.sets)...)
	found = append(found, s.journal()...)
	found = append(found, s.leftovers(true)...)
	if len(found) > 0 {
		return found // a process that has only just begun is no measure
	}
	return s.growth.look(s.host.Members())
}

// slots compares every byte of both slots, and of the staged set, with the archives, and the links with the state.
func (s *Soak) slots() (found []error) {
	links := s.links()
	if links.active != s.state.ActiveSlot && !(links.active == "" && s.state.ActiveSlot == "a") {
		found = append(found, fmt.Errorf("slot %s is active, and its link leads to %q", s.state.ActiveSlot,
			links.active))
	}
	for slot, link := range map[string]string{"a": links.a, "b": links.b, "staged": links.staged} {
		if err := s.slot(s.state.Slot(slot).Digest(), link); err != nil {
			found = append(found, fmt.Errorf("slot %s: %w", slot, err))
		}
	}
	return found
}

func (s *Soak) slot(digest, link string) error {
	set := s.sets.Known(digest)
	switch want := "sets/" + digest; {
	case digest == "" && link == "":
		return nil
	case digest == "":
		return fmt.Errorf("it is empty, and leads to %q", link)
	case link != want:
		return fmt.Errorf("it leads to %q, not to %q", link, want)
	case set == nil:
		return fmt.Errorf("it holds %s, which is no verified set", digest)
	}
	return oracle.SameFiles(s.at("system", link), set.Files)
}

// published wants the confirmed set to be what is published, with the digests of the archive.
func (s *Soak) published() []error {
	var p oracle.Publication
	if err := s.host.Ask(&p, "bundles"); err != nil {
		return []error{err}
	}
	set := s.sets.Known(s.state.Active().Digest())
	if oracle.Text(p.Slot) != s.state.ActiveSlot || set == nil || oracle.Text(p.IndexSHA256) != set.Digest {
		return []error{fmt.Errorf("slot %q with %.12q is published, not slot %s", oracle.Text(p.Slot),
			oracle.Text(p.IndexSHA256), s.state.ActiveSlot)}
	}
	have := map[string]string{oracle.IndexFile: set.Digest, "system.sig.ed25519": set.Files["system.sig.ed25519"]}
	for _, b := range p.Bundles {
		have[b.Name+oracle.BundleExt+oracle.PayloadFile] = b.PayloadSHA256
		have[b.Name+oracle.BundleExt+"/manifest.nxb"] = b.ManifestSHA256
	}
	if err := oracle.Same(have, set.Files); err != nil {
		return []error{fmt.Errorf("published: %w", err)}
	}
	return nil
}
