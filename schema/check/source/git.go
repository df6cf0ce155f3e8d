package source

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// MergeBase returns the revision at which the work in dir left its upstream or, without upstream, the main branch.
func MergeBase(dir string) (string, error) {
	for _, other := range []string{"@{upstream}", "origin/HEAD", "origin/main", "origin/master", "main", "master"} {
		out, err := run(dir, "git", "merge-base", "HEAD", other)
		if err == nil {
			return strings.TrimSpace(string(out)), nil
		}
	}
	return "",
		errors.New("cannot find the merge base: there is no upstream and no main branch; name a revision with --base")
}

// ErrNotThere means that a revision does not have a file.
var ErrNotThere = errors.New("no such file in that revision")

// Show returns a file of a revision. path is relative to dir.
func Show(dir, revision, path string) ([]byte, error) {
	if err := validRevision(dir, revision); err != nil {
		return nil, err
	}
	spec := revision + ":./" + filepath.ToSlash(path)
	if _, err := run(dir, "git", "cat-file", "-e", spec); err != nil {
		return nil, ErrNotThere
	}
	return run(dir, "git", "show", spec)
}

// Checkout writes the files of a revision, from dir downwards, to a new directory, which the caller removes. It writes
// all files, because schemas import and embed others.
func Checkout(dir, revision string) (string, error) {
	if err := validRevision(dir, revision); err != nil {
		return "", err
	}
	tree, err := run(dir, "git", "archive", "--format=tar", revision)
	if err != nil {
		return "", err
	}
	work, err := os.MkdirTemp("", "schema-check")
	if err != nil {
		return "", err
	}
	if err := unpack(bytes.NewReader(tree), work); err != nil {
		return "", errors.Join(fmt.Errorf("cannot unpack %s: %w", revision, err), os.RemoveAll(work))
	}
	return work, nil
}

// unpack writes the regular files of a tar archive below dir.
func unpack(r io.Reader, dir string) error {
	archive := tar.NewReader(r)
	for {
		entry, err := archive.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case entry.Typeflag != tar.TypeReg || !filepath.IsLocal(entry.Name):
			continue
		}
		if err := write(filepath.Join(dir, filepath.FromSlash(entry.Name)), archive); err != nil {
			return err
		}
	}
}

func write(path string, from io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	return errors.Join(err, file.Close())
}

func validRevision(dir, revision string) error {
	if strings.HasPrefix(revision, "-") {
		return errors.New("cannot use revision " + revision + ": it starts with a dash")
	}
	_, err := run(dir, "git", "rev-parse", "--verify", "--quiet", revision+"^{commit}")
	if err != nil {
		return errors.New("cannot find revision " + revision)
	}
	return nil
}
