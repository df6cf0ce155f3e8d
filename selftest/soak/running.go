package main

import (
	"fmt"

	"nexus/selftest/oracle"
)

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
	for name, sum := range set.Files {
		if have[name] != sum {
			return []error{fmt.Errorf("%s is published with digest %q, not %q", name, have[name], sum)}
		}
	}
	if len(have) != len(set.Files) {
		return []error{fmt.Errorf("%d files are published, not %d", len(have), len(set.Files))}
	}
	return nil
}

// services wants exactly the services of the confirmed set to run, and every daemon to be ready.
func (s *Soak) services() []error {
	return s.host.Services(s.sets.Known(s.state.Active().Digest()), s.state.ActiveSlot)
}
