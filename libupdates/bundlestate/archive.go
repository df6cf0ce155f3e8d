package bundlestate

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"nexus/libupdates/refusal"
)

// Bounds of an archive that is imported.
const (
	MaxEntries = 65536
	maxDepth   = 128
)

// Export writes a tree as a tar archive, in byte order of its names. What is neither file, folder nor link is left out.
// The tree may change meanwhile: a file has the size that it had when its turn came, filled up with zeros if it has
// become shorter.
func Export(w io.Writer, tree *os.Root) error {
	archive := tar.NewWriter(w)
	err := fs.WalkDir(tree.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if name == "." || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return exportEntry(archive, tree, name, entry.Type())
	})
	return errors.Join(err, archive.Close())
}

func exportEntry(archive *tar.Writer, tree *os.Root, name string, kind fs.FileMode) error {
	info, err := tree.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	header := &tar.Header{Name: name, Mode: int64(info.Mode().Perm()), ModTime: time.Unix(info.ModTime().Unix(), 0)}
	switch kind {
	case fs.ModeDir:
		header.Typeflag, header.Name = tar.TypeDir, name+"/"
		return archive.WriteHeader(header)
	case fs.ModeSymlink:
		header.Typeflag = tar.TypeSymlink
		if header.Linkname, err = tree.Readlink(name); err != nil {
			return err
		}
		return archive.WriteHeader(header)
	case 0:
		return exportFile(archive, tree, header)
	}
	return nil
}

func exportFile(archive *tar.Writer, tree *os.Root, header *tar.Header) error {
	f, err := tree.Open(header.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	header.Typeflag, header.Size = tar.TypeReg, info.Size()
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.CopyN(archive, io.MultiReader(f, zeros{}), header.Size)
	return err
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// Import writes what a tar archive holds to an empty tree, at most that many bytes of files. Refused as BadArchive or
// NoSpace; what was written until then stays.
func Import(r io.Reader, tree *os.Root, room int64) error {
	archive, seen := tar.NewReader(r), map[string]bool{}
	for entries := 0; ; entries++ {
		header, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return refusal.New(refusal.BadArchive, "it is not a tar archive: %v", err)
		case entries == MaxEntries:
			return refusal.New(refusal.BadArchive, "it has more than %d entries", MaxEntries)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(header.Name, "./"), "/")
		if name == "" || name == "." {
			continue // the tree itself
		}
		if err := checkEntry(name, seen); err != nil {
			return err
		}
		if room -= header.Size; room < 0 || header.Size < 0 {
			return refusal.New(refusal.NoSpace, "it holds more than the quota")
		}
		if err := importEntry(archive, header, tree, name); err != nil {
			return err
		}
	}
}

// checkEntry checks the name of an entry: inside the tree, behind its folder, and not like another.
func checkEntry(name string, seen map[string]bool) error {
	folded := strings.ToLower(name)
	switch {
	case !fs.ValidPath(name) || strings.ContainsAny(name, "\x00\\") || strings.Count(name, "/") >= maxDepth:
		return refusal.New(refusal.BadArchive, "%.200q is not a name inside the tree", name)
	case seen[folded]:
		return refusal.New(refusal.BadArchive, "%.200q is there twice, or differs only in case", name)
	}
	seen[folded] = true
	return nil
}

func importEntry(archive io.Reader, header *tar.Header, tree *os.Root, name string) error {
	var err error
	switch header.Typeflag {
	case tar.TypeDir:
		err = tree.Mkdir(name, 0o700)
	case tar.TypeSymlink:
		err = tree.Symlink(header.Linkname, name)
	case tar.TypeReg:
		err = importFile(archive, header, tree, name)
	default:
		return refusal.New(refusal.BadArchive, "%.200q is neither file, folder nor link", name)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist), isEscape(err):
		return refusal.New(refusal.BadArchive, "%.200q does not follow its folder, or leads out of the tree", name)
	case refusal.Of(err) == refusal.BadArchive:
		return err
	case err != nil:
		return fmt.Errorf("cannot write %.200q: %w", path.Base(name), err)
	}
	return nil
}

// isEscape reports whether the root has refused a path that leads out of it, or through what is not a folder.
func isEscape(err error) bool {
	var e *fs.PathError
	return errors.As(err, &e) && (strings.Contains(e.Err.Error(), "escapes") || strings.Contains(e.Err.Error(), "not a dir"))
}

func importFile(archive io.Reader, header *tar.Header, tree *os.Root, name string) error {
	f, err := tree.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.CopyN(f, archive, header.Size); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return refusal.New(refusal.BadArchive, "it ends in %.200q", name)
	} else if err != nil {
		return err
	}
	if err := f.Chmod(fs.FileMode(header.Mode).Perm() &^ 0o077); err != nil {
		return err
	}
	return f.Close()
}
