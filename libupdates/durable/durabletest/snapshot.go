package durabletest

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"syscall"
)

// Snapshot returns the content of the disk as written: one line for each name, in byte order, with a link's target or a
// file's bytes, and ` verity` behind those that the kernel verifies. It does not count as an operation.
func (d *Disk) Snapshot() []string { return d.root.lines(root) }

func (n *node) lines(name string) []string {
	switch n.kind {
	case link:
		return []string{fmt.Sprintf("%s -> %s", name, n.target)}
	case file:
		line := fmt.Sprintf("%s %q", name, n.data)
		if n.sealed != nil {
			line += veritySuffix
		}
		return []string{line}
	}
	lines := []string{name + "/"}
	for _, base := range slices.Sorted(maps.Keys(n.entries)) {
		lines = append(lines, n.entries[base].lines(path.Join(name, base))...)
	}
	return lines
}

// Overwrite changes a file's bytes directly, as a bad disk or an intruder would. It does not count as an operation.
func (d *Disk) Overwrite(name string, data []byte) error {
	n, err := d.walk(name, maxLinks)
	if err == nil && n.kind != file {
		err = syscall.EISDIR
	}
	if err != nil {
		return failed("overwrite", name, err)
	}
	n.data = append([]byte{}, data...)
	n.synced = n.data
	return nil
}
