package nxs

import (
	"fmt"
	"io"

	"nexus/libupdates/nxb"
)

// A DeltaSource is one bundle of a delta to write. Content is the patch, or the whole payload, or nil.
type DeltaSource struct {
	Entry       Entry
	RawManifest []byte
	Making      Making
	Content     io.Reader
}

// WriteDelta writes a delta; the same arguments give the same bytes. The head is that of the set that it makes, the
// signature that of DeltaMessage.
func WriteDelta(w io.Writer, set *Head, rawDelta, signature []byte, bundles []DeltaSource) error {
	if err := WriteHead(w, set); err != nil {
		return err
	}
	if err := writeFile(w, DeltaName, rawDelta); err != nil {
		return err
	}
	if err := writeFile(w, DeltaSignatureName, signature); err != nil {
		return err
	}
	for _, b := range bundles {
		if err := b.write(w); err != nil {
			return err
		}
	}
	return writeEnd(w)
}

func (b DeltaSource) write(w io.Writer) error {
	content := func(size int64) func() error {
		return func() error {
			n, err := io.Copy(w, b.Content)
			if err == nil && n != size {
				err = fmt.Errorf("cannot write delta: %s has %d bytes, want %d", b.Entry.Name, n, size)
			}
			return err
		}
	}
	folder := b.Entry.Name + nxb.Suffix + "/"
	switch b.Making.Way {
	case Whole:
		return writeBundle(w, b.Entry, b.RawManifest, content(b.Entry.PayloadSize))
	case Held:
		return writeFile(w, folder+nxb.ManifestFile, b.RawManifest)
	}
	if err := writeFile(w, folder+nxb.ManifestFile, b.RawManifest); err != nil {
		return err
	}
	return writeContent(w, folder+PatchFile, b.Making.PatchSize, content(b.Making.PatchSize))
}

// IsDelta reports whether an archive says that it is a delta. Nothing in it is verified.
func IsDelta(file io.ReaderAt, size int64) bool {
	section := io.NewSectionReader(file, 0, size)
	in := source{r: section, left: size, seeker: section}
	r := entries{in: in}
	for range 5 { // at most four entries precede it
		h, err := r.header()
		switch {
		case err != nil || h.dir:
			return false
		case h.name == DeltaName:
			return true
		case r.place(h.name) == unknown || r.in.skip(h.size) != nil:
			return false
		}
	}
	return false
}
