package slots

import (
	"errors"
	"io/fs"
	"path"
	"slices"

	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

const (
	dataPerm    fs.FileMode = 0o444 // files of a set are never changed in place
	payloadPerm fs.FileMode = 0o755 // fs-verity is enabled only by who may write, and then nobody can
)

// add receives a set into a directory of its own and gives it its name. The set is durable when add returns. After an
// error nothing is left of it, unless it may be resumed.
func (s *stage) add() error {
	s.dir = stageDir
	if s.opt.Resume {
		s.dir = keptDir
	}
	err := s.fs.RemoveAll(stageDir) // left by a stage whose clean-up failed with the disk
	if err == nil && !(s.opt.Resume && s.kept()) {
		err = s.fs.RemoveAll(keptDir)
	}
	if err == nil {
		err = s.receive()
	}
	if err == nil {
		err = s.keep()
	}
	if err != nil && !(s.opt.Resume && s.in.ended() != nil) {
		s.fs.RemoveAll(s.dir) // best effort: the first error is the one to report
	}
	return err
}

func (s *stage) receive() error {
	index := s.head.Index
	bases := basesOf(index, s.archive.makings())
	here, err := s.fs.reusable(s.in, slices.Concat(index.Bundles, bases))
	if err == nil && s.opt.Resume {
		err = s.wholeIn(here)
	}
	if err == nil {
		err = checkBases(index, bases, here)
	}
	if err != nil {
		return err
	}
	files := files{fs: s.fs, dir: s.dir, resume: s.opt.Resume, here: here, in: s.in, head: s.head, apply: s.opt.Patch,
		waiting: make(map[string]durable.File, len(index.Bundles)), begins: map[nxs.Digest]string{}}
	defer files.close()
	if s.in.at.Reused, err = files.prepare(s.head); err != nil {
		return err
	}
	s.in.enter(Receiving)
	if s.opt.Begun != nil {
		s.opt.Begun(&files)
	}
	if err := s.archive.deliver(s.in, index, &files); err != nil {
		return err
	}
	if err := files.complete(index); err != nil {
		return err
	}
	if err := files.dropPatches(); err != nil {
		return err
	}
	s.in.enter(Publishing)
	return files.sync(s.in, index)
}

// files are the files of a set that is being received. They are made durable together, at the end: until the set has
// its name, nothing needs them after a power cut.
type files struct {
	fs     disk
	dir    string
	resume bool // what an earlier stage left in dir may be there, and this one may leave something
	// payloads that are not received yet, by bundle name; nil if the payload is on disk already
	waiting map[string]durable.File
	begins  map[nxs.Digest]string // by digest, the files in which such payloads begin, if they are to be resumed
	here    map[identity]string   // paths of payloads in the slots that may be reused
	open    []durable.File        // all files that are not closed

	// what patches are made of that come in place of payloads
	in    *incoming
	head  *nxs.Head
	apply nxs.PatchFunc
}

// prepare makes the folders and the files whose content is known: index and signature, and payloads that are already on
// disk. It allocates every other payload in its signed size, so that a set that does not fit is refused before
// its first payload byte. It returns the number of payload bytes that are reused.
func (f *files) prepare(head *nxs.Head) (reused int64, err error) {
	if err := f.mkdir(f.dir); err != nil {
		return 0, err
	}
	for _, file := range headFiles(head) {
		if err := f.write(path.Join(f.dir, file.Name), file.Content); err != nil {
			return 0, err
		}
	}
	for _, entry := range head.Index.Bundles {
		if err := f.mkdir(bundleDir(f.dir, entry.Name)); err != nil {
			return 0, err
		}
		f.waiting[entry.Name] = nil
		if f.reuse(entry) {
			reused += entry.PayloadSize
			continue
		}
		if f.waiting[entry.Name], err = f.expect(entry); err != nil {
			return 0, err
		}
	}
	if f.resume {
		err = f.settle(head.Index)
	}
	return reused, err
}

// headFiles are the files of a set beside its bundles. One without content is not there.
func headFiles(head *nxs.Head) []nxs.HeadEntry {
	return []nxs.HeadEntry{{Name: nxs.IndexName, Content: head.Raw},
		{Name: nxs.SignatureName, Content: head.Signature}, {Name: nxs.SignaturesName, Content: head.More}}
}

// reuse gives a payload that is on disk its name in the set. It fails if the file system does not support hard links.
func (f *files) reuse(entry nxs.Entry) bool {
	name := payloadPath(f.dir, entry.Name)
	from, is := f.here[identityOf(entry)]
	if !is || from == name {
		return is
	}
	return f.clear(name) == nil && f.clear(partialPath(f.dir, entry.Name)) == nil && f.fs.Link(from, name) == nil
}

// expect makes the file for a payload that is to come.
func (f *files) expect(entry nxs.Entry) (durable.File, error) {
	f.begins[entry.PayloadSHA256] = partialPath(f.dir, entry.Name)
	if f.resume {
		return f.grow(entry)
	}
	payload, err := f.create(payloadPath(f.dir, entry.Name), payloadPerm)
	if err == nil {
		err = payload.Allocate(entry.PayloadSize)
	}
	return payload, err
}

func (f *files) payload(bundle string) (durable.File, error) {
	payload, announced := f.waiting[bundle]
	if !announced {
		return nil, refusal.New(refusal.UnexpectedEntry, "%s was not announced", payloadPath("", bundle))
	}
	delete(f.waiting, bundle)
	return payload, nil
}

func (f *files) held(sum nxs.Digest) (durable.ReadFile, error) {
	for id, path := range f.here {
		if id.sum == sum {
			return f.fs.Open(path)
		}
	}
	return nil, missing(sum)
}

func (f *files) manifest(bundle *nxs.Bundle) error {
	return f.write(manifestPath(f.dir, bundle.Entry.Name), bundle.RawManifest)
}

// complete checks that all bundles of the set have been received.
func (f *files) complete(index nxs.Index) error {
	for _, entry := range index.Bundles {
		if _, waits := f.waiting[entry.Name]; waits {
			return refusal.New(refusal.MissingEntry, "%s is missing", payloadPath("", entry.Name))
		}
	}
	return nil
}

// sync makes everything durable, first the bytes of every file, then that the kernel verifies the payloads, then the
// names. It closes the files.
func (f *files) sync(in *incoming, index nxs.Index) error {
	for len(f.open) > 0 {
		file := f.open[0]
		f.open = f.open[1:]
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return err
		}
	}
	for _, entry := range index.Bundles {
		err := in.ended()
		if err == nil {
			err = protect(f.fs, payloadPath(f.dir, entry.Name), entry)
		}
		if err != nil {
			return err
		}
	}
	return f.syncNames(index)
}

func (f *files) syncNames(index nxs.Index) error {
	for _, entry := range index.Bundles {
		if err := f.fs.SyncDir(bundleDir(f.dir, entry.Name)); err != nil {
			return err
		}
	}
	return f.fs.SyncDir(f.dir)
}

// write creates a small file; none without content.
func (f *files) write(name string, data []byte) error {
	if err := f.clear(name); err != nil || len(data) == 0 {
		return err
	}
	file, err := f.create(name, dataPerm)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return err
}

// clear removes what an earlier stage left under a name.
func (f *files) clear(name string) error {
	if !f.resume {
		return nil
	}
	return f.fs.RemoveAll(name)
}

func (f *files) mkdir(name string) error {
	err := f.fs.Mkdir(name)
	if f.resume && errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func (f *files) create(name string, perm fs.FileMode) (durable.File, error) {
	file, err := f.fs.Create(name, perm)
	if err == nil {
		f.open = append(f.open, file)
	}
	return file, err
}

// close closes the files that are still open after an error.
func (f *files) close() {
	for _, file := range f.open {
		file.Close()
	}
}
