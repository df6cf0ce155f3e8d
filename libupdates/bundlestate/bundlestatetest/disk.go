// Package bundlestatetest keeps the state of bundles on a disk whose power can be cut at every operation.
package bundlestatetest

import (
	"path"

	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
)

// A Disk keeps generations as folders with one file: what the program wrote.
type Disk struct{ *durabletest.Disk }

const content = "content"

// Make makes an empty generation.
func (d Disk) Make(name string) error { return d.make(name, "") }

// Copy copies a generation.
func (d Disk) Copy(from, to string) error {
	text, err := d.Read(from)
	if err != nil {
		return err
	}
	return d.make(to, text)
}

func (d Disk) make(name, text string) error {
	if err := d.Mkdir(name); err != nil {
		return err
	}
	if err := d.Write(name, text); err != nil {
		return err
	}
	return d.SyncDir(name)
}

// Write writes as a program does, whose state is that generation.
func (d Disk) Write(name, text string) error {
	return durable.WriteFile(d.Disk, path.Join(name, content), []byte(text))
}

// Read reads what was written last.
func (d Disk) Read(name string) (string, error) {
	f, err := d.Open(path.Join(name, content))
	if err != nil {
		return "", err
	}
	defer f.Close()
	raw := make([]byte, f.Size())
	if _, err := f.ReadAt(raw, 0); err != nil && len(raw) > 0 {
		return "", err
	}
	return string(raw), nil
}
