package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"nexus/libupdates/nxb"
)

// An Input describes a folder of bundles to pack. The zero value is no input.
type Input struct {
	Name    string
	Bundles int
	Size    int64 // of all payloads, in bytes
	Sparse  bool  // payloads are holes instead of programs
}

// The inputs of the tables.
func small() Input  { return Input{"small", 12, 60 << 20, false} }
func large() Input  { return Input{"large", 24, 1 << 30, false} }
func medium() Input { return Input{"medium", 12, 256 << 20, false} }
func one() Input    { return Input{"one", 1, 1 << 30, false} }

func sparse(size int64) Input { return Input{fmt.Sprintf("sparse-%d", size), 1, size, true} }

// make makes the input, unless an earlier run has made it.
func (in Input) make(p Place) (string, error) {
	dir := filepath.Join(p.root, "input", in.Name)
	if in.Name == "" {
		return "", nil
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	half := dir + ".half"
	if err := errors.Join(os.RemoveAll(half), os.MkdirAll(half, 0o755)); err != nil {
		return "", err
	}
	left := in.Size
	for i := range in.Bundles {
		// From two thirds to four thirds of the mean, because bundles differ in size. The last one takes the rest.
		size := in.Size / int64(in.Bundles) * int64(2*in.Bundles+2*i) / int64(3*in.Bundles)
		if i == in.Bundles-1 {
			size = left
		}
		left -= size
		if err := in.bundle(half, i, size); err != nil {
			return "", err
		}
	}
	return dir, os.Rename(half, dir)
}

// bundle makes one bundle. Its manifest has the first version of the format, which does not describe the payload, so it
// can be written first.
func (in Input) bundle(dir string, i int, size int64) error {
	name := fmt.Sprintf("bundle%02d", i)
	folder := filepath.Join(dir, name+".nxb")
	raw, err := nxb.Manifest{Name: name, Version: "1.0.0", Signature: make([]byte, 64)}.Encode()
	if err == nil {
		err = os.Mkdir(folder, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, nxb.ManifestFile), raw, 0o644)
	}
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(folder, nxb.PayloadFile))
	if err != nil {
		return err
	}
	if in.Sparse {
		err = f.Truncate(size)
	} else {
		_, err = io.CopyN(f, &programs{skip: i}, size)
	}
	return errors.Join(err, f.Close())
}

// programs reads the programs and libraries of the Go toolchain, one after the other, in an endless loop, starting with
// a given one.
type programs struct {
	skip  int
	names []string
	next  int
	open  *os.File
}

func (p *programs) Read(b []byte) (int, error) {
	for {
		if p.open == nil {
			if err := p.advance(); err != nil {
				return 0, err
			}
		}
		n, err := p.open.Read(b)
		if n > 0 {
			return n, nil
		}
		if !errors.Is(err, io.EOF) {
			return 0, err
		}
		p.open.Close()
		p.open = nil
	}
}

func (p *programs) advance() error {
	if p.names == nil {
		root, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			return fmt.Errorf("cannot find the Go toolchain: %w", err)
		}
		for _, dir := range []string{"bin", "pkg/tool"} {
			err := filepath.WalkDir(filepath.Join(strings.TrimSpace(string(root)), dir),
				func(name string, e fs.DirEntry, err error) error {
					if err == nil && e.Type().IsRegular() {
						p.names = append(p.names, name)
					}
					return err
				})
			if err != nil {
				return err
			}
		}
		if len(p.names) == 0 {
			return errors.New("cannot find programs in the Go toolchain")
		}
		p.next = p.skip
	}
	var err error
	p.open, err = os.Open(p.names[p.next%len(p.names)])
	p.next++
	return err
}
