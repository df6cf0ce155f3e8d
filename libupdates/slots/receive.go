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
		in.enter(Publishing)
		err = s.keep(head)
	}
	if err != nil {
		s.fs.RemoveAll(stageDir) // best effort: the error that matters is the first one
	}
	return err
}

func (s *Store) receive(head *nxs.Head, in *incoming) error {
	if err := s.fs.Mkdir(stageDir); err != nil {
		return err
	}
	if err := s.write(path.Join(stageDir, indexFile), head.Raw); err != nil {
		return err
	}
	if err := s.write(path.Join(stageDir, signatureFile), head.Signature); err != nil {
		return err
	}
	waiting, err := s.reserve(head.Index)
	defer waiting.close()
	if err != nil {
		return err
	}
	in.enter(Receiving)
	for {
		bundle, err := in.next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = s.receiveBundle(bundle, waiting, in)
		}
		if err != nil {
			return err
		}
	}
	for _, entry := range head.Index.Bundles {
		if waiting[entry.Name] != nil {
			return refusal.New(refusal.MissingEntry, "%s is missing", payloadPath("", entry.Name))
		}
	}
	return s.fs.SyncDir(stageDir)
}

// payloads are the files that wait for their bytes, by bundle name.
type payloads map[string]durable.File

// reserve makes every payload file with its signed size, so that a set that does not fit is refused before its first payload byte.
func (s *Store) reserve(index nxs.Index) (payloads, error) {
	files := make(payloads, len(index.Bundles))
	for _, entry := range index.Bundles {
		if err := s.fs.Mkdir(bundleDir(stageDir, entry.Name)); err != nil {
			return files, err
		}
		f, err := s.fs.Create(payloadPath(stageDir, entry.Name), payloadPerm)
		if err != nil {
			return files, err
		}
		files[entry.Name] = f
		if err := f.Allocate(entry.PayloadSize); err != nil {
			return files, err
		}
	}
	return files, nil
}

// close closes the files that did not get their bytes.
func (p payloads) close() {
	for _, f := range p {
		f.Close()
	}
}

// receiveBundle writes one bundle and makes it durable.
func (s *Store) receiveBundle(bundle *nxs.Bundle, waiting payloads, in *incoming) error {
	name := bundle.Entry.Name
	f := waiting[name]
	if f == nil {
		return refusal.New(refusal.UnexpectedEntry, "%s was not announced", payloadPath("", name))
	}
	if err := s.write(manifestPath(stageDir, name), bundle.RawManifest); err != nil {
		return err
	}
	if err := in.copy(f, bundle); err != nil {
		return err
	}
	delete(waiting, name)
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return s.fs.SyncDir(bundleDir(stageDir, name))
}

// write makes a small file and makes its bytes durable.
func (s *Store) write(name string, data []byte) error {
	f, err := s.fs.Create(name, dataPerm)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}
