package slots

import (
	"errors"
	"io"
	"io/fs"
	"path"

	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

const (
	dataPerm    fs.FileMode = 0o444 // nothing of a set is ever changed in place
	payloadPerm fs.FileMode = 0o555
)

// add receives a set into sets/.stage and gives it its name. The set is durable when add returns; after an error nothing is left.
func (s *Store) add(head *nxs.Head, in *incoming) error {
	err := s.fs.RemoveAll(stageDir) // what a stage left when the disk failed while it cleaned up
	if err == nil {
		err = s.receive(head, in)
	}
	if err == nil {
		err = s.keep(head)
	}
	if err != nil {
		s.fs.RemoveAll(stageDir) // best effort: the error that matters is the first one
	}
	return err
}

func (s *Store) receive(head *nxs.Head, in *incoming) error {
	files := files{fs: s.fs, waiting: make(map[string]durable.File, len(head.Index.Bundles))}
	defer files.close()
	if err := files.prepare(head); err != nil {
		return err
	}
	in.enter(Receiving)
	disk := startBehind(head.Index)
	err := files.fill(head.Index, in, disk)
	if failed := disk.wait(); failed != nil { // it was asked for before what ended the reading was read
		err = failed
	}
	if err != nil {
		return err
	}
	in.enter(Publishing)
	return files.sync(head.Index)
}

// files are those of a set that is being received. They are made durable together, at the end: until the set has its name, nobody will
// ask for one of them after a cut.
type files struct {
	fs      durable.FS
	waiting map[string]durable.File // payloads that wait for their bytes, by bundle name
	open    []durable.File          // all that are not closed
}

// prepare makes the folders and the files whose bytes are known, and every payload file with its signed size, so that a set that does not
// fit is refused before its first payload byte.
func (f *files) prepare(head *nxs.Head) error {
	if err := f.fs.Mkdir(stageDir); err != nil {
		return err
	}
	if err := f.write(path.Join(stageDir, indexFile), head.Raw); err != nil {
		return err
	}
	if err := f.write(path.Join(stageDir, signatureFile), head.Signature); err != nil {
		return err
	}
	for _, entry := range head.Index.Bundles {
		if err := f.fs.Mkdir(bundleDir(stageDir, entry.Name)); err != nil {
			return err
		}
		payload, err := f.create(payloadPath(stageDir, entry.Name), payloadPerm)
		if err != nil {
			return err
		}
		f.waiting[entry.Name] = payload
		if err := payload.Allocate(entry.PayloadSize); err != nil {
			return err
		}
	}
	return nil
}

// fill receives the bundles, to the verified end of the archive.
func (f *files) fill(index nxs.Index, in *incoming, disk *behind) error {
	for {
		bundle, err := in.next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = f.fillBundle(bundle, in, disk)
		}
		if err != nil {
			return err
		}
	}
	for _, entry := range index.Bundles {
		if f.waiting[entry.Name] != nil {
			return refusal.New(refusal.MissingEntry, "%s is missing", payloadPath("", entry.Name))
		}
	}
	return nil
}

// fillBundle receives one bundle.
func (f *files) fillBundle(bundle *nxs.Bundle, in *incoming, disk *behind) error {
	name := bundle.Entry.Name
	payload := f.waiting[name]
	if payload == nil {
		return refusal.New(refusal.UnexpectedEntry, "%s was not announced", payloadPath("", name))
	}
	delete(f.waiting, name)
	err := disk.do(func() error { return f.write(manifestPath(stageDir, name), bundle.RawManifest) })
	if err != nil {
		return err
	}
	return in.copy(bundle, disk.piece, func(piece []byte) error {
		return disk.do(func() error {
			_, err := payload.Write(piece)
			disk.free <- piece[:cap(piece)]
			return err
		})
	})
}

// sync makes all of it durable: the bytes of every file, then the names. It closes the files.
func (f *files) sync(index nxs.Index) error {
	for len(f.open) > 0 {
		file := f.open[0]
		f.open = f.open[1:]
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return err
		}
	}
	for _, entry := range index.Bundles {
		if err := f.fs.SyncDir(bundleDir(stageDir, entry.Name)); err != nil {
			return err
		}
	}
	return f.fs.SyncDir(stageDir)
}

// write makes a small file.
func (f *files) write(name string, data []byte) error {
	file, err := f.create(name, dataPerm)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return err
}

func (f *files) create(name string, perm fs.FileMode) (durable.File, error) {
	file, err := f.fs.Create(name, perm)
	if err == nil {
		f.open = append(f.open, file)
	}
	return file, err
}

// close closes what an error left open.
func (f *files) close() {
	for _, file := range f.open {
		file.Close()
	}
}
