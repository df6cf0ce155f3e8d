package nxspack

import (
	"context"
	"crypto/sha256"
	"io"
	"os"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/oci"
)

// An openDelta is a delta that has been verified, and its file.
type openDelta struct {
	name    string
	file    *os.File
	sources []oci.Source
}

// openDeltas reads deltas and checks that they make the set of that digest.
func openDeltas(ctx context.Context, names []string, set nxs.Digest) (deltas []*openDelta, err error) {
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return deltas, cannot("push", name, err)
		}
		d := &openDelta{name: name, file: f}
		deltas = append(deltas, d)
		if err := d.read(ctx, set); err != nil {
			return deltas, cannot("push", name, err)
		}
	}
	return deltas, nil
}

func closeDeltas(deltas []*openDelta) {
	for _, d := range deltas {
		d.file.Close()
	}
}

// read collects what is pushed of the delta: what the set does not have.
func (d *openDelta) read(ctx context.Context, set nxs.Digest) error {
	head, _, err := verifyDelta(ctx, d.name, formatLimits(), ownPublisher,
		func(_ *nxs.DeltaHead, b *nxs.DeltaBundle) error {
			if b.Way != nxs.Patch {
				return nil
			}
			content := io.NewSectionReader(d.file, b.Offset, b.PatchSize)
			sum := sha256.New()
			if _, err := io.Copy(sum, content); err != nil {
				return err
			}
			e := oci.Entry{Name: b.Name + nxb.Suffix + "/" + nxs.PatchFile, Size: b.PatchSize,
				Digest: nxs.Digest(sum.Sum(nil))}
			if b.Making.Patch.OldSize > 0 {
				e.Base = b.Base
			}
			d.sources = append(d.sources, oci.Source{Entry: e, Content: content})
			return nil
		})
	if err == nil && head.Digest != set {
		err = refusal.New(refusal.DigestMismatch, "it makes another set")
	}
	if err == nil {
		d.sources = append([]oci.Source{source(nxs.DeltaName, head.RawDelta),
			source(nxs.DeltaSignatureName, head.DeltaSignature)}, d.sources...)
	}
	return err
}
