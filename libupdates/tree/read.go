package tree

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"strings"

	"nexus/libupdates/refusal"
)

// MaxSize bounds the bytes of all files of a tree together, with their holes.
const MaxSize = 16 << 30

// An Entry is a file, a folder or a symbolic link.
type Entry struct {
	Name       string
	Kind       fs.FileMode // fs.ModeDir, fs.ModeSymlink, or 0 for a file
	Size       int64       // of a file
	Executable bool        // a file
	Target     string      // of a link
}

// Check checks a whole tree, without the content of its files. It refuses, as BadTree, what Read refuses.
func Check(r io.ReaderAt, size int64) error {
	return Read(io.NewSectionReader(r, 0, size), func(Entry, io.Reader) error { return nil })
}

// Read reads a tree and passes on each entry, with the content of a file. It refuses, as BadTree, what is not a tree.
// No entry is passed on before it is checked; those before a bad one were.
func Read(r io.Reader, visit func(e Entry, content io.Reader) error) error {
	in := &source{r: r}
	archive, names, room := tar.NewReader(in), Names{}, int64(MaxSize)
	for {
		header, err := archive.Next()
		switch {
		case in.err != nil:
			return in.err
		case errors.Is(err, io.EOF):
			return in.checkEnd()
		case err != nil:
			return bad("it is not a tar archive: %v", err)
		}
		e, err := entryOf(header)
		if err != nil {
			return err
		}
		if err := names.Add(e.Name, e.Kind == fs.ModeDir); err != nil {
			return bad("%v", err)
		}
		if room -= e.Size; room < 0 {
			return bad("its files have more than %d GiB", MaxSize>>30)
		}
		if err := visit(e, content{archive, in}); err != nil {
			return err
		}
	}
}

func bad(format string, args ...any) error {
	return refusal.New(refusal.BadTree, format, args...)
}

// entryOf checks all of an entry but its name.
func entryOf(header *tar.Header) (Entry, error) {
	e := Entry{Name: header.Name}
	switch header.Typeflag {
	case tar.TypeDir:
		e.Kind, e.Name = fs.ModeDir, strings.TrimSuffix(header.Name, "/")
	case tar.TypeSymlink:
		e.Kind, e.Target = fs.ModeSymlink, header.Linkname
		if err := checkLink(e.Name, e.Target); err != nil {
			return e, bad("%v", err)
		}
	case tar.TypeReg:
		e.Size, e.Executable = header.Size, header.Mode&0o100 != 0
		if e.Size < 0 || e.Size > MaxSize {
			return e, bad("%.200q has a size of %d bytes, the files of a tree have at most %d GiB", e.Name, e.Size,
				MaxSize>>30)
		}
	default:
		return e, bad("%.200q is neither file, folder nor link", e.Name)
	}
	return e, nil
}

// A source keeps the error with which the bytes ended, so that it is not taken for a fault of the tree.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// Seek lets the reader of the archive skip content, where that is possible.
func (s *source) Seek(offset int64, whence int) (int64, error) {
	if seeker, ok := s.r.(io.Seeker); ok {
		return seeker.Seek(offset, whence)
	}
	return 0, errors.ErrUnsupported
}

// checkEnd refuses what follows the end of the archive.
func (s *source) checkEnd() error {
	_, err := io.ReadFull(s, make([]byte, 1))
	switch {
	case err == nil:
		return bad("bytes follow its end")
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// content is the content of a file.
type content struct {
	archive *tar.Reader
	source  *source
}

func (c content) Read(p []byte) (int, error) {
	n, err := c.archive.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && c.source.err == nil {
		err = bad("it ends within a file")
	}
	return n, err
}
