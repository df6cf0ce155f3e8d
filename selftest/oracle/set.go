package oracle

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"nexus/libupdates/refusal"
)

// A Fate is the expected outcome for a set when nothing disturbs the system.
type Fate uint8

// The fates.
const (
	Good    Fate = iota // it is committed
	Refused             // it is never staged
	Unfit               // it is staged, and the switch to it is refused
	Broken              // it is tried, and rolled back
)

func (f Fate) String() string { return [...]string{"good", "refused", "unfit", "broken"}[f] }

// A Set is one archive that operators stage.
type Set struct {
	Name   string
	File   string
	Fate   Fate
	Reason refusal.Reason // of the refusal or of the rollback
	Behind bool           // its index is valid, and only what follows the index is not

	Digest  string            // SHA-256 of its index, in hex; empty if it is not needed
	Version string            // its system version
	Files   map[string]string // the expected content of its slot: path to SHA-256, in hex
}

// Names of entries, and their suffixes, in the archive format.
const (
	IndexFile   = "system.nxsindex"
	PayloadFile = "/payload.elf"
	BundleExt   = ".nxb"
)

// Load reads from the archive what its slot must contain. It uses only the standard library, so that the result is
// independent of the code under test.
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
		return fmt.Errorf("cannot read %s: no index", s.File)
	}
	return nil
}

// Payloads returns the digests of its programs, by bundle name.
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

// Sets are all sets of a run, in a fixed order.
type Sets []*Set

// Demo returns the sets that demo.Make puts into a folder, and the names that harnesses have for them. A system begins
// with the first.
func Demo(dir string) Sets {
	at := func(name string) string { return filepath.Join(dir, name+".nxs") }
	return Sets{
		{Name: "1.0.0", File: at("system-v1.0.0"), Version: "1.0.0"},
		{Name: "1.1.0", File: at("system-v1.1.0"), Version: "1.1.0"},
		{Name: "1.2.0", File: at("system-v1.2.0"), Version: "1.2.0", Fate: Broken, Reason: refusal.ServiceExited},
		{Name: "bad signature", File: at("bad-signature"), Fate: Refused, Reason: refusal.InvalidSignature},
		{Name: "bad digest", File: at("bad-digest"), Fate: Refused, Reason: refusal.DigestMismatch, Behind: true},
	}
}

// Load loads all sets that have an index which can be read.
func (all Sets) Load() error {
	for _, s := range all {
		if s.Fate == Refused && !s.Behind {
			continue
		}
		if err := s.Load(); err != nil && (!s.Behind || s.Digest == "") {
			return err
		}
	}
	return nil
}

// Named returns the set with this name, or nil.
func (all Sets) Named(name string) *Set {
	for _, s := range all {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Of returns the sets with a given fate.
func (all Sets) Of(fate Fate) Sets {
	var some Sets
	for _, s := range all {
		if s.Fate == fate {
			some = append(some, s)
		}
	}
	return some
}

// Known returns the set with this digest, or nil if no set that may be in a slot has it.
func (all Sets) Known(digest string) *Set {
	for _, s := range all {
		if s.Fate != Refused && s.Digest == digest {
			return s
		}
	}
	return nil
}
