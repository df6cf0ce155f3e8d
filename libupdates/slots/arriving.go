package slots

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"

	"nexus/libupdates/delta"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// patchesDir is where patches are that come in place of payloads, until the set is complete. Each has the digest of its
// first block as its name, which names all others, so what is kept of one is of no other.
const patchesDir = "patches"

// An Arriving is a patch that comes in place of a payload, or of the rest of one. It is kept like a payload if the
// stage may be resumed, and nothing of it is interpreted before all of it has come.
type Arriving struct {
	Had int64 // bytes of it that an interrupted stage has kept: they need not come

	making nxs.Making
	base   string // path; empty: it makes the payload from nothing
	name   string
	files  *files
	file   *growing
}

// Expect implements Here.
func (f *files) Expect(rawDelta, signature []byte, payload nxs.Digest) (*Arriving, error) {
	making, err := f.making(rawDelta, signature, payload)
	if err != nil {
		return nil, err
	}
	a := &Arriving{making: making, files: f,
		name: path.Join(f.dir, patchesDir, nxs.Digest(making.Patch.First.Digest).String())}
	if making.Patch.OldSize > 0 {
		base := nxs.Entry{PayloadSHA256: making.Base, PayloadSize: making.Patch.OldSize}
		here, err := f.fs.reusable(f.in, []nxs.Entry{base})
		if err != nil {
			return nil, err
		}
		if a.base = here[identityOf(base)]; a.base == "" {
			return nil, missing(making.Base)
		}
	}
	if err := a.open(); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// making returns how a delta of this set makes a payload by a patch.
func (f *files) making(rawDelta, signature []byte, payload nxs.Digest) (nxs.Making, error) {
	d, err := nxs.VerifyDelta(f.head, rawDelta, signature)
	if err != nil {
		return nxs.Making{}, err
	}
	for i, m := range d.Delta.Makings {
		if f.head.Index.Bundles[i].PayloadSHA256 == payload && m.Way == nxs.Patch {
			return m, nil
		}
	}
	return nxs.Making{}, refusal.New(refusal.MissingBase, "the delta has no patch for the payload %s", payload)
}

// Expect implements Here: nothing is made of what is on disk already.
func (s stored) Expect(_, _ []byte, payload nxs.Digest) (*Arriving, error) {
	return nil, refusal.New(refusal.MissingBase, "the payload %s is here", payload)
}

// open opens the file of the patch, and goes through what is there.
func (a *Arriving) open() error {
	file, err := a.reopen()
	if err != nil {
		return err
	}
	a.file, err = a.files.grown(file, a.name, a.making.PatchSize, func() error { return nil })
	if err != nil {
		return err
	}
	there, size, err := begun(a.files.fs, a.name)
	if err != nil || there == nil {
		return err
	}
	defer there.Close()
	a.Had, err = io.Copy(a.file, io.LimitReader(there, min(size, a.making.PatchSize)))
	return err
}

// reopen opens the file of the patch. One that is new has its name for good before anything is in it. It may be
// written, since the next stage goes on with it.
func (a *Arriving) reopen() (durable.File, error) {
	fsys, dir := a.files.fs, path.Dir(a.name)
	file, err := fsys.Reopen(a.name)
	if !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	if err := fsys.Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if file, err = fsys.Create(a.name, payloadPerm); err != nil {
		return nil, err
	}
	if err := errors.Join(fsys.SyncDir(dir), fsys.SyncDir(path.Dir(dir))); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// Left returns how many bytes of the patch have not come yet.
func (a *Arriving) Left() int64 { return a.file.size - a.file.at }

// Write takes the next bytes of the patch, which are no more than are left.
func (a *Arriving) Write(b []byte) (int, error) { return a.file.Write(b) }

// Make writes the payload that the patch makes, from an offset on, and then drops the patch. The result has the signed
// size, and is not verified. A fault of the patch is refused as it is by Apply.
func (a *Arriving) Make(w io.Writer, from int64) error {
	patch, err := a.files.fs.Open(a.name)
	if err != nil {
		return err
	}
	defer patch.Close()
	var base io.ReaderAt = bytes.NewReader(nil)
	if a.base != "" {
		file, err := a.files.fs.Open(a.base)
		if err != nil {
			return err
		}
		defer file.Close()
		base = file
	}
	apply := a.files.apply
	if apply == nil {
		apply = delta.Patch.Apply
	}
	out := &exact{w: w, left: a.making.Patch.NewSize - from}
	err = apply(a.making.Patch, out, base, io.NewSectionReader(patch, 0, a.making.PatchSize), from)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF): // it was cut after it was verified
		return missing(a.making.Base)
	case err != nil:
		return err
	case out.left > 0:
		return out.wrong()
	}
	return a.files.fs.Remove(a.name)
}

// Close closes the file of the patch. What came of it stays.
func (a *Arriving) Close() error {
	if a.file == nil {
		return nil
	}
	return a.file.Close()
}

// An exact passes on as many bytes as there should be.
type exact struct {
	w    io.Writer
	left int64
}

func (e *exact) Write(b []byte) (int, error) {
	if int64(len(b)) > e.left {
		return 0, e.wrong()
	}
	n, err := e.w.Write(b)
	e.left -= int64(n)
	return n, err
}

func (e *exact) wrong() error {
	return refusal.New(refusal.SizeMismatch, "a patch does not make a payload of the signed size")
}

// dropPatches removes what is left of patches, of which some may not have been used in the end.
func (f *files) dropPatches() error {
	name := path.Join(f.dir, patchesDir)
	if _, err := f.fs.Kind(name); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return f.fs.RemoveAll(name)
}
