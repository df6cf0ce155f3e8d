package oracle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// SameFiles checks that a folder contains exactly these files, by path and SHA-256.
func SameFiles(dir string, want map[string]string) error {
	have := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		have[name], err = SumOf(path)
		return err
	})
	if err != nil {
		return err
	}
	return Same(have, want)
}

// Same checks that two lists have the same files, by path and SHA-256.
func Same(have, want map[string]string) error {
	for name, sum := range want {
		if have[name] != sum {
			return fmt.Errorf("%s has digest %q, not %q", name, have[name], sum)
		}
	}
	for name := range have {
		if _, known := want[name]; !known {
			return fmt.Errorf("%s is in the slot but not in the archive", name)
		}
	}
	return nil
}

// SumOf returns the SHA-256 of a file, in hex.
func SumOf(path string) (string, error) {
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
