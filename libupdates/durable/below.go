package durable

import (
	"io/fs"
	"path"
)

// Below returns what is below a folder, for reading, as a file system of its own.
func Below(files ReadFS, dir string) ReadFS { return below{files, dir} }

type below struct {
	files ReadFS
	dir   string
}

func (b below) at(name string) string { return path.Join(b.dir, name) }

func (b below) Kind(name string) (fs.FileMode, error) { return b.files.Kind(b.at(name)) }
func (b below) Open(name string) (ReadFile, error)    { return b.files.Open(b.at(name)) }
func (b below) Readlink(name string) (string, error)  { return b.files.Readlink(b.at(name)) }
func (b below) ReadDir(name string) ([]string, error) { return b.files.ReadDir(b.at(name)) }
