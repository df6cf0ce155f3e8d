package statefs

import (
	"errors"
	"io/fs"
	"path"

	"nexus/libupdates/refusal"
)

// Others may share the disk and fill it, down to what its file system keeps for root: then even space that is given
// back is root's. So each file of a reserved prefix keeps its space, and the room for the largest value, and on a full
// disk a value is written over the old one, without a new block.

// room is what a file of the prefix may grow to without a new block.
func (p *Prefix) room() int64 {
	if p.quota.Reserved {
		return headerSize + MaxValue
	}
	return 0
}

// putOnFull puts a value for which there is no space beside the old one. A value that is shorter than that is refused:
// to shorten a file gives back the space behind its end. A file without room for the value, which a version before this
// one wrote, is replaced, should there be space for so much.
func (p *Prefix) putOnFull(key string, raw []byte) error {
	if old, there := p.sizes[key]; there {
		if int64(len(raw)) < headerSize+old {
			return refusal.New(refusal.NoSpace, "no space left beside %s, of %d bytes", path.Join(p.name, key), old)
		}
		if err := p.overwrite(key, raw); refusal.Of(err) != refusal.NoSpace && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return p.replace(key, raw, 0)
}

// overwrite writes a value over the old one in its file, unless it would need a new block for that.
func (p *Prefix) overwrite(key string, raw []byte) error {
	f, err := p.store.fs.Reopen(p.file(key))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Reserve(int64(len(raw))); err != nil {
		return err
	}
	if _, err := f.Write(raw); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// dropReserve removes the file in which earlier versions kept space, and which only takes it now.
func (s *Store) dropReserve() error {
	if kind, err := s.fs.Kind(reserveFile); err != nil || kind != 0 {
		return nil
	}
	return s.fs.RemoveAll(reserveFile)
}
