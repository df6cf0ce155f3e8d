package apps

import (
	"fmt"
	"io/fs"
	"path"
	"sync/atomic"

	"nexus/libupdates/durable"
)

// A place is the folder of one package, as a file system of its own. Once it is closed nothing changes it any more: the
// next package of that name has a place of its own.
type place struct {
	durable.ReadFS
	fs     durable.FS
	dir    string
	closed atomic.Bool
}

func newPlace(fs durable.FS, dir string) *place {
	return &place{ReadFS: durable.Below(fs, dir), fs: fs, dir: dir}
}

func (p *place) at(name string) string { return path.Join(p.dir, name) }

// open refuses a change to what was uninstalled.
func (p *place) open() error {
	if p.closed.Load() {
		return fmt.Errorf("cannot change %s: it was uninstalled", p.dir)
	}
	return nil
}

func (p *place) Create(name string, perm fs.FileMode) (durable.File, error) {
	if err := p.open(); err != nil {
		return nil, err
	}
	return p.fs.Create(p.at(name), perm)
}

func (p *place) Reopen(name string) (durable.File, error) {
	if err := p.open(); err != nil {
		return nil, err
	}
	return p.fs.Reopen(p.at(name))
}

func (p *place) Mkdir(name string) error {
	return p.change(func() error { return p.fs.Mkdir(p.at(name)) })
}

func (p *place) Rename(from, to string) error {
	return p.change(func() error { return p.fs.Rename(p.at(from), p.at(to)) })
}

func (p *place) Symlink(target, name string) error {
	return p.change(func() error { return p.fs.Symlink(target, p.at(name)) })
}

func (p *place) Link(from, to string) error {
	return p.change(func() error { return p.fs.Link(p.at(from), p.at(to)) })
}

func (p *place) Remove(name string) error {
	return p.change(func() error { return p.fs.Remove(p.at(name)) })
}

func (p *place) RemoveAll(name string) error {
	return p.change(func() error { return p.fs.RemoveAll(p.at(name)) })
}

func (p *place) SyncDir(name string) error {
	return p.change(func() error { return p.fs.SyncDir(p.at(name)) })
}

func (p *place) EnableVerity(name string) error {
	return p.change(func() error { return p.fs.EnableVerity(p.at(name)) })
}

func (p *place) change(do func() error) error {
	if err := p.open(); err != nil {
		return err
	}
	return do()
}
