package kit

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"nexus/selftest/oracle"
)

// A Fingerprint describes everything below a folder, by path: kind, mode and owner; of what is no folder also which one
// it is (a file that was written again is another one) and its content.
type Fingerprint map[string]string

// FingerprintOf returns the fingerprint of a folder. It follows no link.
func FingerprintOf(root string) (Fingerprint, error) {
	print := Fingerprint{}
	return print, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		text := info.Mode().String()
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			text += fmt.Sprintf(" of %d:%d", stat.Uid, stat.Gid)
			if !info.IsDir() {
				text += fmt.Sprintf(", inode %d written %s", stat.Ino, info.ModTime())
			}
		}
		content, _ := os.Readlink(path)
		if info.Mode().IsRegular() {
			if content, err = oracle.SumOf(path); err != nil {
				return err
			}
		}
		print[name] = text + " " + content
		return nil
	})
}

// Changes returns the differences between two fingerprints.
func (before Fingerprint) Changes(after Fingerprint) (found []string) {
	for _, path := range slices.Sorted(maps.Keys(before)) {
		if before[path] != after[path] {
			found = append(found, fmt.Sprintf("%s was %s, is %s", path, before[path], after[path]))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(after)) {
		if _, known := before[path]; !known {
			found = append(found, path+" is new")
		}
	}
	return found
}
