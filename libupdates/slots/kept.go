package slots

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"

	"nexus/libupdates/durable"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
)

// A stage that may be resumed leaves its directory behind when it is interrupted. A payload that is not complete has a
// name of its own there, and is as long as what came of it. It is synced after each block, before the next one begins.
// So the blocks before the one in which it ends are there even after a power cut, and nothing else has to be recorded.
// All of a payload that is not complete is written and verified when it is resumed, also what was there; so no byte
// counts as received because it was found.
const (
	keptBlock   = 256 << 10
	keptPiece   = 32 << 10
	partialFile = nxb.PayloadFile + ".part"
)

// Forget drops what an interrupted stage has kept.
func (s *Store) Forget() error { return s.fs.RemoveAll(keptDir) }

// HasKept reports whether an interrupted stage has kept something.
func (s *Store) HasKept() bool {
	_, err := s.fs.Kind(keptDir)
	return err == nil
}

// kept reports whether what a stage has kept is of this very set, so that it can be resumed.
func (s *stage) kept() bool {
	for _, file := range headFiles(s.head) {
		if len(file.Content) > 0 && !s.fs.holds(path.Join(keptDir, file.Name), file.Content) {
			return false
		}
	}
	for _, entry := range s.head.Index.Bundles {
		if _, err := s.fs.ReadDir(bundleDir(keptDir, entry.Name)); err != nil {
			return false
		}
	}
	return true
}

// holds reports whether a file has exactly that content.
func (d disk) holds(name string, want []byte) bool {
	f, err := d.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	got := make([]byte, len(want))
	_, err = io.ReadFull(f, got)
	return err == nil && f.Size() == int64(len(want)) && bytes.Equal(got, want)
}

// wholeIn adds the payloads that an interrupted stage has received to those that are here. Every byte of them has been
// read and verified. Those that are damaged are removed, and come again.
func (s *stage) wholeIn(here map[identity]string) error {
	var candidates []*candidate
	for _, entry := range s.head.Index.Bundles {
		name := payloadPath(s.dir, entry.Name)
		if _, is := here[identityOf(entry)]; is || entry.PayloadSize == 0 {
			continue
		}
		if _, err := s.fs.Kind(name); err == nil {
			candidates = append(candidates, &candidate{wanted: entry, path: name})
		}
	}
	intact(s.in.ctx, s.fs, candidates)
	if err := s.in.ended(); err != nil {
		return err
	}
	for _, c := range candidates {
		if c.intact {
			here[identityOf(c.wanted)] = c.path
		} else if err := s.fs.RemoveAll(c.path); err != nil {
			return err
		}
	}
	return nil
}

// settle makes durable what a later stage has to find to go on.
func (f *files) settle(index nxs.Index) error {
	for _, file := range f.open {
		if err := file.Sync(); err != nil {
			return err
		}
	}
	if err := f.syncNames(index); err != nil {
		return err
	}
	return f.fs.SyncDir(path.Dir(f.dir))
}

// grow opens the file of a payload of which a part may be there.
func (f *files) grow(entry nxs.Entry) (durable.File, error) {
	whole := payloadPath(f.dir, entry.Name)
	if err := f.clear(whole); err != nil {
		return nil, err
	}
	if entry.PayloadSize == 0 {
		return f.create(whole, payloadPerm)
	}
	name := partialPath(f.dir, entry.Name)
	file, err := f.fs.Reopen(name)
	if errors.Is(err, fs.ErrNotExist) {
		file, err = f.fs.Create(name, payloadPerm)
	}
	if err != nil {
		return nil, err
	}
	f.open = append(f.open, file)
	return f.grown(file, name, entry.PayloadSize, func() error { return f.fs.Rename(name, whole) })
}

// grown returns a file of which a part may be there, with space for all of it.
func (f *files) grown(file durable.File, name string, size int64, complete func() error) (*growing, error) {
	grown := &growing{File: file, size: size, complete: complete}
	if there, err := f.fs.Open(name); err == nil {
		grown.had = there.Size()
		there.Close()
	}
	return grown, file.Reserve(size)
}

func partialPath(set, name string) string { return path.Join(bundleDir(set, name), partialFile) }

// A growing file is synced block by block, and gets its name when it is complete.
type growing struct {
	durable.File
	size, at int64
	had      int64 // its length at first: blocks before it have been synced
	complete func() error
}

// Write implements io.Writer.
func (g *growing) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		block := min(int64(len(b)-n), keptBlock-g.at%keptBlock)
		var written int
		written, err = g.File.Write(b[n : n+int(block)])
		n, g.at = n+written, g.at+int64(written)
		switch {
		case err != nil:
		case g.at == g.size:
			err = errors.Join(g.File.Sync(), g.complete())
		case g.at%keptBlock == 0 && g.at >= g.had:
			err = g.File.Sync()
		}
	}
	return n, err
}

// Have returns the size of a payload that is in the set's directory already, verified, or opens what an interrupted
// stage has left of it.
func (f *files) Have(sum nxs.Digest) (io.ReadCloser, int64, error) {
	name, is := f.begins[sum]
	switch {
	case !is:
		return nil, sizeIn(f.head.Index, sum), nil
	case f.resume:
		return begun(f.fs, name)
	}
	return nil, 0, nil
}

// Have returns the size of a payload of a set that is on disk, and has just been verified.
func (s stored) Have(sum nxs.Digest) (io.ReadCloser, int64, error) {
	index, err := s.index()
	if err != nil {
		return nil, 0, err
	}
	return nil, sizeIn(index, sum), nil
}

// sizeIn returns the size of a payload of a set; 0 if it has none with this digest.
func sizeIn(index nxs.Index, sum nxs.Digest) int64 {
	for _, entry := range index.Bundles {
		if entry.PayloadSHA256 == sum {
			return entry.PayloadSize
		}
	}
	return 0
}

// begun opens the blocks of a payload that are there for certain: those before the one in which the file ends.
func begun(fsys durable.ReadFS, name string) (io.ReadCloser, int64, error) {
	file, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	return file, max(file.Size()-1, 0) / keptBlock * keptBlock, nil
}
