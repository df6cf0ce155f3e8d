package powercut

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"nexus/libupdates/nxb"
	"nexus/libupdates/statedisk"
)

// Seals are the fs-verity digests of payloads on a disk, by the names of their copies. They are read from the blocks of
// the disk, so that a replay needs no kernel with fs-verity.
type seals map[string][sha256.Size]byte

// Enable implements durable.Verity. The disk is not to be changed.
func (seals) Enable(*os.File) error { return syscall.EROFS }

// Measure implements durable.Verity.
func (s seals) Measure(f *os.File) ([sha256.Size]byte, error) {
	sum, enabled := s[f.Name()]
	if !enabled {
		return sum, syscall.ENODATA
	}
	return sum, nil
}

// Staging is how many payloads of a set that has no name yet the kernel verifies, and how many it does not.
type staging struct{ kept, plain int }

const (
	unnamedAt  = "/system/sets/."
	verityFlag = 1 << 20 // of an inode
	// Behind the end of a file, at the next multiple of this, is its Merkle tree, and in the last block a descriptor.
	treeAlign = 64 << 10
)

var inodeFlags = regexp.MustCompile(`Flags: 0x([0-9a-f]+)\n`)

// readSeals reads the fs-verity of all payloads on a disk whose files were copied to root. A payload that has it must
// have the Merkle tree of its bytes: the kernel would refuse to read it otherwise.
func readSeals(disk, root, work string) (seals, staging, error) {
	found, unnamed := seals{}, staging{}
	copies, err := filepath.Glob(filepath.Join(root, "system/sets/*/*.nxb", nxb.PayloadFile))
	if err != nil {
		return nil, unnamed, err
	}
	told, err := askAbout(disk, root, work, copies)
	if err != nil {
		return nil, unnamed, err
	}
	for i, file := range copies {
		kept, err := isEnabled(told[i])
		if err == nil && kept {
			found[file], err = readSeal(disk, file, filepath.Join(work, "payload"), told[i])
		}
		if err != nil {
			return nil, unnamed, fmt.Errorf("%s: %w", strings.TrimPrefix(file, root), err)
		}
		switch {
		case !strings.HasPrefix(file, root+unnamedAt):
		case kept:
			unnamed.kept++
		default:
			unnamed.plain++
		}
	}
	return found, unnamed, nil
}

// askAbout returns what debugfs says of the inode and the extents of each file.
func askAbout(disk, root, work string, copies []string) ([]string, error) {
	const first, second = "stat ", "ex -l "
	var requests strings.Builder
	for _, file := range copies {
		name := strings.TrimPrefix(file, root)
		fmt.Fprintf(&requests, "%s%s\n%s%s\n", first, name, second, name)
	}
	script := filepath.Join(work, "requests")
	if err := os.WriteFile(script, []byte(requests.String()), 0o600); err != nil {
		return nil, err
	}
	out, err := runTool("debugfs", 0, "-f", script, disk)
	told := strings.Split(out, "debugfs: "+first)[1:]
	if err == nil && len(told) != len(copies) {
		err = fmt.Errorf("debugfs answered %d of %d requests", len(told), len(copies))
	}
	return told, err
}

func isEnabled(told string) (bool, error) {
	m := inodeFlags.FindStringSubmatch(told)
	if m == nil {
		return false, fmt.Errorf("debugfs tells no flags: %s", told)
	}
	flags, err := strconv.ParseUint(m[1], 16, 32)
	return flags&verityFlag != 0, err
}

// readSeal returns the fs-verity digest of a file, whose bytes are in a copy of it, and checks its Merkle tree. All
// blocks of the file, those behind its end too, go to a further copy.
func readSeal(disk, file, whole, told string) (sum [sha256.Size]byte, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return sum, err
	}
	if err := copyExtents(disk, whole, extent.FindAllStringSubmatch(told, -1)); err != nil {
		return sum, err
	}
	blocks, err := os.ReadFile(whole)
	if err != nil {
		return sum, err
	}
	tree, root := merkle(data)
	at := (len(data) + treeAlign - 1) / treeAlign * treeAlign
	descriptor := descriptorIn(blocks)
	switch {
	case len(blocks) < at+len(tree)+len(descriptor) || !bytes.Equal(blocks[at:at+len(tree)], tree):
		return sum, errors.New("the kernel would refuse to read it: its Merkle tree is another one")
	case descriptor == nil || !bytes.Equal(descriptor[16:16+len(root)], root):
		return sum, errors.New("the kernel would refuse to open it: its descriptor is another one")
	}
	return sha256.Sum256(descriptor), nil
}

// descriptorSize is that of struct fsverity_descriptor without a signature.
const descriptorSize = 256

// descriptorIn returns the descriptor in the last block of a file, which ends with its size; nil if there is none.
func descriptorIn(blocks []byte) []byte {
	if len(blocks) < statedisk.BlockSize {
		return nil
	}
	last := blocks[len(blocks)-statedisk.BlockSize:]
	if binary.LittleEndian.Uint32(last[len(last)-4:]) != descriptorSize {
		return nil
	}
	return last[:descriptorSize]
}

// merkle returns the Merkle tree of a file, the level below the root first, and the root.
func merkle(data []byte) (tree, root []byte) {
	for root = hashes(data); len(root) > sha256.Size; root = hashes(root) {
		tree = append(slices.Concat(root, make([]byte, -len(root)&(statedisk.BlockSize-1))), tree...)
	}
	return tree, root
}

// hashes returns the hash of each block, of which the last one is padded with zeros.
func hashes(data []byte) (all []byte) {
	for block := range slices.Chunk(data, statedisk.BlockSize) {
		sum := sha256.Sum256(slices.Concat(block, make([]byte, statedisk.BlockSize-len(block))))
		all = append(all, sum[:]...)
	}
	return all
}
