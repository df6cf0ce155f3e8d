package cli

import (
	"context"
	"fmt"

	"nexus/daemons/updateclient"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// fullFlag is the flag of the verbs that stage.
type fullFlag struct {
	Full string `placeholder:"FILE.nxs" help:"With a delta: the set that it makes, in case the device lacks what the delta builds on."`
}

// stage stages a file. A delta is sent if the device holds what it builds on, else the full set, if there is one.
func (v fullFlag) stage(ctx context.Context, s *session, file archive, open opening) (staged, error) {
	found, err := peek(file)
	if err != nil || found.Delta == nil { // what cannot be read is for the system to judge
		if v.Full != "" && err == nil {
			return staged{}, wrongUsage("--full goes with a delta, and %s is a set", file.name)
		}
		return uploadSet(ctx, s, file, s.in.progress(file.name), open)
	}
	lacking := lackingBase(ctx, &s.facets, found)
	if lacking == nil {
		var set staged
		set, lacking = uploadSet(ctx, s, file, s.in.progress(file.name), open)
		if refusal.Of(lacking) != refusal.MissingBase {
			return set, lacking
		}
	}
	if v.Full == "" {
		return staged{}, lacking
	}
	s.in.note("%s: %s", refusal.DetailOf(lacking), "sending "+v.Full+" whole")
	return v.send(ctx, s, found.Digest, open)
}

// send sends the full set, which must be the one that the delta makes.
func (v fullFlag) send(ctx context.Context, s *session, want nxs.Digest, open opening) (staged, error) {
	full, err := s.in.openArchive(ctx, v.Full)
	if err != nil {
		return staged{}, fmt.Errorf("cannot use %s: %w", v.Full, err)
	}
	defer full.Close()
	if found, err := peek(full); err == nil && found.Digest != want {
		return staged{}, refusal.New(refusal.DigestMismatch, "%s is not the set that the delta makes", v.Full)
	}
	return uploadSet(ctx, s, full, s.in.progress(full.name), open)
}

// lackingBase returns the refusal MissingBase if the device says that it does not hold what a delta builds on. A system
// that cannot say so judges the delta itself.
func lackingBase(ctx context.Context, f *facets, found *nxs.Inspection) error {
	held, err := heldPayloads(ctx, f)
	if err != nil {
		return nil
	}
	for i, m := range found.Delta.Makings {
		entry := found.Index.Bundles[i]
		if held[entry.PayloadSHA256] {
			continue
		}
		base := entry.PayloadSHA256
		if m.Way == nxs.Patch {
			base = m.Base
		}
		if m.Way == nxs.Whole || m.Way == nxs.Patch && m.Patch.OldSize == 0 || held[base] {
			continue
		}
		return refusal.New(refusal.MissingBase, "%s %s is made from the payload %s, which the device does not hold",
			entry.Name, entry.Version, base)
	}
	return nil
}

// heldPayloads asks which payloads the device holds.
func heldPayloads(ctx context.Context, f *facets) (map[nxs.Digest]bool, error) {
	ctx, cancel := patient(ctx)
	defer cancel()
	stager, done := f.stager(ctx)
	defer done()
	digests, err := updateclient.Held(ctx, stager)
	held := map[nxs.Digest]bool{}
	for _, d := range digests {
		held[nxs.Digest(d)] = true
	}
	return held, err
}
