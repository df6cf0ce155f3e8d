package fetchd

import (
	"cmp"
	"context"
	"io"
	"slices"

	"nexus/daemons/updateclient"
	"nexus/daemons/vat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/oci"
)

// leastPayload is of how many bytes a payload is worth a look for patches: looking costs a few requests.
const leastPayload = 16 << 10

// patches are the ways to a set that deltas in the registry open. They are looked for when the first payload needs one.
type patches struct {
	set  *oci.Set
	held func(context.Context) ([]bootctl.Digest, error) // payloads that the device has
	warn func(text string, fields ...any)

	looked  bool
	deltas  []*oci.Delta
	here    map[nxs.Digest]bool
	heads   map[*oci.Delta]head
	fetched int64            // bytes
	made    uint64           // bytes of payloads
	bundle  string           // of the last patch that was begun; empty: none was
	whole   map[string]error // bundles whose payloads are fetched although there are patches for them, and why
}

// A head is the signed index of a delta.
type head struct{ index, signature []byte }

// A choice is a patch that may make a payload.
type choice struct {
	delta *oci.Delta
	patch oci.Entry
}

// look asks the registry for deltas, and the device for what it holds.
func (p *patches) look(ctx context.Context) {
	if p.looked {
		return
	}
	p.looked, p.here, p.heads = true, map[nxs.Digest]bool{}, map[*oci.Delta]head{}
	var err error
	if p.deltas, err = p.set.Deltas(ctx); err != nil {
		p.warn("cannot look for deltas", "reason", refusal.Of(err), "error", err)
	}
	if len(p.deltas) == 0 {
		return
	}
	held, err := p.held(ctx)
	if err != nil {
		p.warn("cannot ask which payloads are held", "error", err)
	}
	for _, d := range held {
		p.here[nxs.Digest(d)] = true
	}
}

// choices returns the patches that make the payload of a bundle and are smaller than what is left of it, smallest
// first. What the device says that it does not hold is not tried.
func (p *patches) choices(ctx context.Context, bundle string, left int64) (all []choice) {
	p.look(ctx)
	for _, d := range p.deltas {
		patch, is := d.Patches[bundle]
		switch {
		case !is || patch.Size >= left:
		case patch.Base != (nxs.Digest{}) && !p.here[patch.Base]:
			p.whole[bundle] = refusal.New(refusal.MissingBase,
				"the device has none of the payloads that the patches for it build on")
		default:
			all = append(all, choice{d, patch})
		}
	}
	slices.SortStableFunc(all, func(a, b choice) int { return cmp.Compare(a.patch.Size, b.patch.Size) })
	return all
}

// make has what is left of a payload made by a patch, and reports whether it is. If not, its content is fetched.
func (p *patches) make(ctx context.Context, entry nxs.Entry, left int64, sink *updateclient.Sink) (bool, error) {
	if left < leastPayload {
		return false, nil
	}
	for _, c := range p.choices(ctx, entry.Name, left) {
		had, err := p.begin(ctx, c, entry, sink)
		switch {
		case vat.Disconnected(err) || ctx.Err() != nil:
			return false, &stageError{err}
		case err != nil:
			if refusal.Of(err) == refusal.IO { // not refused: what was kept of it may have ended the stage
				p.bundle = entry.Name
			}
			p.whole[entry.Name] = err
			p.warn("patch not used", "bundle", entry.Name, "reason", refusal.Of(err), "error", err)
			continue
		}
		delete(p.whole, entry.Name)
		p.bundle = entry.Name
		if err = p.send(ctx, c, had, sink); err == nil {
			p.made += uint64(left)
		}
		return true, err
	}
	return false, nil
}

// begin has a stage expect a patch, and returns how much of it the device has.
func (p *patches) begin(ctx context.Context, c choice, entry nxs.Entry, sink *updateclient.Sink) (had int64,
	err error) {
	h, is := p.heads[c.delta]
	if !is {
		if h.index, h.signature, err = c.delta.Head(ctx, &p.fetched); err != nil {
			return 0, err
		}
		p.heads[c.delta] = h
	}
	size, err := sink.Patch(ctx, h.index, h.signature, bootctl.Digest(entry.PayloadSHA256))
	return int64(size), err
}

// send hands on what the device lacks of a patch.
func (p *patches) send(ctx context.Context, c choice, had int64, sink *updateclient.Sink) error {
	if had == c.patch.Size {
		return nil
	}
	from, err := c.delta.Patch(ctx, c.patch, had, &p.fetched)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{&stage{ctx: ctx, sink: sink}}, from, make([]byte, pieceBytes))
	return err
}

// failed reports whether an attempt may have failed for a patch, so that the next does without. It notes the bundle.
func (p *patches) failed(err error) bool {
	switch refusal.Of(err) {
	case refusal.DigestMismatch, refusal.SizeMismatch, refusal.MissingBase, refusal.BadPatch, refusal.BadSchemaVersion,
		refusal.Truncated, refusal.TrailingData, refusal.BadRegistry, refusal.NotInRegistry, refusal.NoSpace:
	default:
		return false
	}
	if p.bundle == "" {
		return false
	}
	p.whole[p.bundle] = err
	return true
}
