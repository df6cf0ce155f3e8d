package tree

import (
	"archive/tar"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
)

// Pack writes what is in a folder as a tree. Refused, as BadTree, with the first entry that a tree cannot have, and as
// SizeMismatch for a file that changes meanwhile.
func Pack(w io.Writer, folder *os.Root) error {
	p := &packer{w: w, archive: tar.NewWriter(w), folder: folder, room: MaxSize, buffer: make([]byte, 16*block)}
	if err := fs.WalkDir(folder.FS(), ".", p.visit); err != nil {
		return err
	}
	return p.archive.Close()
}

type packer struct {
	w       io.Writer
	archive *tar.Writer
	folder  *os.Root
	names   Names
	room    int64
	buffer  []byte
}

func (p *packer) visit(name string, entry fs.DirEntry, err error) error {
	if err != nil || name == "." {
		return err
	}
	if err := p.names.Add(name, entry.IsDir()); err != nil {
		return bad("%v", err)
	}
	switch kind := entry.Type(); kind {
	case fs.ModeDir:
		return p.archive.WriteHeader(&tar.Header{Name: name + "/", Mode: 0o755, Typeflag: tar.TypeDir})
	case fs.ModeSymlink:
		return p.link(name)
	case 0:
		return p.file(name)
	default:
		return bad("%.200q is %s: a tree has files, folders and links", name, durable.KindName(kind))
	}
}

func (p *packer) link(name string) error {
	target, err := p.folder.Readlink(name)
	if err != nil {
		return err
	}
	// `./x` and `x//y` are other words for the same; to go up behind a name is not
	if short := path.Clean(target); target != "" && strings.Count(short, "..") == strings.Count(target, "..") {
		target = short
	}
	if err := checkLink(name, target); err != nil {
		return bad("%v", err)
	}
	return p.archive.WriteHeader(&tar.Header{Name: name, Linkname: target, Mode: 0o777, Typeflag: tar.TypeSymlink})
}

func (p *packer) file(name string) error {
	const never = syscall.O_NOFOLLOW | syscall.O_NONBLOCK // it may have been replaced meanwhile
	f, err := p.folder.OpenFile(name, os.O_RDONLY|never, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	was, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !was.Mode().IsRegular():
		return changed(name)
	}
	if p.room -= was.Size(); p.room < 0 {
		return bad("its files have more than %d GiB", MaxSize>>30)
	}
	h := tar.Header{Name: name, Size: was.Size(), Mode: 0o644, Typeflag: tar.TypeReg}
	if was.Mode()&0o100 != 0 {
		h.Mode = 0o755
	}
	if err := p.store(h, f); err != nil {
		return err
	}
	is, err := f.Stat()
	if err == nil && (is.Size() != was.Size() || !is.ModTime().Equal(was.ModTime())) {
		err = changed(name)
	}
	return err
}

func changed(name string) error {
	return refusal.New(refusal.SizeMismatch, "%.200q changed while it was packed", name)
}

// store writes a file, without its holes.
func (p *packer) store(h tar.Header, f *os.File) error {
	extents, err := extentsOf(io.NewSectionReader(f, 0, h.Size), h.Size, p.buffer)
	if err != nil {
		return err
	}
	if !hasHoles(extents, h.Size) {
		if err := p.archive.WriteHeader(&h); err != nil {
			return err
		}
		return p.copy(p.archive, f, h.Name, extent{0, h.Size})
	}
	header, stored, err := sparseHeader(h, extents)
	if err != nil {
		return err
	}
	if err := p.archive.Flush(); err != nil { // fills up the entry before
		return err
	}
	if _, err := p.w.Write(header); err != nil {
		return err
	}
	for _, e := range extents {
		if err := p.copy(p.w, f, h.Name, e); err != nil {
			return err
		}
	}
	_, err = p.w.Write(make([]byte, -stored&(tarBlock-1)))
	return err
}

// copy copies a piece of a file.
func (p *packer) copy(w io.Writer, f *os.File, name string, e extent) error {
	n, err := io.CopyBuffer(w, io.NewSectionReader(f, e.at, e.size), p.buffer)
	if err == nil && n < e.size {
		return changed(name)
	}
	return err
}
