package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// slots holds every byte of both slots against the archives, and the links against the state.
func (s *Soak) slots() (found []error) {
	links := s.links()
	if links.active != s.state.ActiveSlot && !(links.active == "" && s.state.ActiveSlot == "a") {
		found = append(found, fmt.Errorf("slot %s is active, and its link leads to %q", s.state.ActiveSlot, links.active))
	}
	for slot, link := range map[string]string{"a": links.a, "b": links.b} {
		if err := s.slot(s.state.slot(slot).digest(), link); err != nil {
			found = append(found, fmt.Errorf("slot %s: %w", slot, err))
		}
	}
	return found
}

func (s *Soak) slot(digest, link string) error {
	if digest == "" {
		if link != "" {
			return fmt.Errorf("it is empty, and leads to %q", link)
		}
		return nil
	}
	if want := "sets/" + digest; link != want {
		return fmt.Errorf("it leads to %q, not to %q", link, want)
	}
	set := s.sets.known(digest)
	if set == nil {
		return fmt.Errorf("it holds %s, which is no verified set", digest)
	}
	return sameFiles(s.at("system", link), set.Files)
}

// sameFiles wants a folder to hold exactly these files, by path and SHA-256.
func sameFiles(dir string, want map[string]string) error {
	have := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		have[name], err = sumOf(path)
		return err
	})
	if err != nil {
		return err
	}
	for name, sum := range want {
		if have[name] != sum {
			return fmt.Errorf("%s has digest %q, not %q", name, have[name], sum)
		}
		delete(have, name)
	}
	for name := range have {
		return fmt.Errorf("%s is in the slot and not in the archive", name)
	}
	return nil
}

// sumOf is the SHA-256 of a file, in hex.
func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
