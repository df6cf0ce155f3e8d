package oracle

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"nexus/libupdates/refusal"
)

// A Fate is what has to come of a set when nothing disturbs the system.
type Fate uint8

// The fates.
const (
	Good    Fate = iota // it is committed
	Refused             // it is never staged
	Unfit               // it is staged, and the switch to it is refused
	Broken              // it is tried, and rolled back
)

func (f Fate) String() string { return [...]string{"good", "refused", "unfit", "broken"}[f] }

// A Set is one archive that operators bring.
type Set struct {
	Name   string
	File   string
	Fate   Fate
	Reason refusal.Reason // of the refusal or of the rollback
	Behind bool           // its index is in order, and only what comes behind that is not

	Digest  string            // SHA-256 of its index, in hex; empty where that is never looked at
	Version string            // its system version
	Files   map[string]string // what a slot with it has to hold: path to SHA-256, in hex
}

// Names of entries and their ends, as the format has them.
const (
	IndexFile   = "system.nxsindex"
	PayloadFile = "/payload.elf"
	BundleExt   = ".nxb"
)

// Load reads from the archive what a slot with the set has to hold. It does so by the standard library alone, so that
// what it says is not the word of the code under test.
func (s *Set) Load() error {
	archive, err := os.Open(s.File)
	if err != nil {
		return err
	}
	defer archive.Close()
	s.Files = map[string]string{}
	for entries := tar.NewReader(archive); ; {
		h, err := entries.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", s.File, err)
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, entries); err != nil {
			return fmt.Errorf("cannot read %s: %w", s.File, err)
		}
		s.Files[h.Name] = hex.EncodeToString(sum.Sum(nil))
		s.Digest = s.Files[IndexFile]
	}
	if s.Digest == "" {
		return fmt.Errorf("cannot read %s: it has no index", s.File)
	}
	return nil
}

// Payloads are the digests of its programs, by the bundle's name.
func (s *Set) Payloads() map[string]string {
	programs := map[string]string{}
	if s == nil {
		return programs
	}
	for path, sum := range s.Files {
		if name, ok := strings.CutSuffix(path, BundleExt+PayloadFile); ok {
			programs[name] = sum
		}
	}
	return programs
}

// Sets are all there are, in a fixed order.
type Sets []*Set

// Of returns those of some fate.
func (all Sets) Of(fate Fate) Sets {
	var some Sets
	for _, s := range all {
		if s.Fate == fate {
			some = append(some, s)
		}
	}
	return some
}

// Known returns the set with that digest, nil where there is none: no set of ours that may ever be in a slot.
func (all Sets) Known(digest string) *Set {
	for _, s := range all {
		if s.Fate != Refused && s.Digest == digest {
			return s
		}
	}
	return nil
}
