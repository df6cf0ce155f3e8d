package apps

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"nexus/libupdates/durable"
)

// Files in the place of a package, beside its slots. Each has a number behind it: there are two halves of it.
const (
	recordFile = "record" // the boot record
	bootFile   = "boot"   // its copy of this boot, which no other boot reads
)

// halves keep a record as two files.
type halves struct {
	fs   durable.FS
	name string
	once bool // for this boot: a power cut need not leave what was stored
}

func (h halves) half(n int) string { return fmt.Sprintf("%s.%d", h.name, n) }

// Load returns a half as it was stored.
func (h halves) Load(n int) ([]byte, error) {
	f, err := h.fs.Open(h.half(n))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, durable.ErrKind):
		return nil, durable.ErrDamaged
	case err != nil:
		return nil, err
	}
	defer f.Close()
	if f.Size() > 2*durable.MaxCellValue {
		return nil, durable.ErrDamaged
	}
	return io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
}

// Store replaces a half in one step.
func (h halves) Store(n int, raw []byte) error {
	if h.once {
		return durable.ReplaceForBoot(h.fs, h.half(n), raw)
	}
	return durable.Replace(h.fs, h.half(n), raw)
}

// Sync makes all that was stored durable.
func (h halves) Sync() error {
	if h.once {
		return nil
	}
	return h.fs.SyncDir(".")
}

// cell is a file of the place.
func (p *place) cell(name string) durable.CellFile {
	return durable.Apart(halves{fs: p, name: name, once: name == bootFile})
}

// forgetBoot removes the copy of an earlier boot.
func (p *place) forgetBoot() error {
	h := halves{fs: p, name: bootFile}
	for n := range 2 {
		if err := p.RemoveAll(h.half(n)); err != nil {
			return err
		}
	}
	return p.SyncDir(".")
}
