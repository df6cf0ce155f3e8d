package powercut

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	blocks "nexus/libupdates/digest"
	"nexus/libupdates/statedisk"
	"nexus/selftest/kit"
)

// TestSealsAreRead has a disk with a payload as a kernel with fs-verity leaves it, and with one that such a kernel
// would refuse.
func TestSealsAreRead(t *testing.T) {
	const named, unnamed = "/system/sets/aa/hello.nxb/payload.elf", "/system/sets/.stage/hello.nxb/payload.elf"
	for _, size := range []int{1, statedisk.BlockSize, treeAlign, treeAlign + 1, 129 * statedisk.BlockSize} {
		data := bytes.Repeat([]byte{7}, size)
		var want blocks.Tree
		want.Write(data)
		sum := want.Sum()
		tree, root := merkle(data)
		for _, c := range []struct {
			name  string
			spoil func(tree, descriptor []byte)
			flags string
			want  string // in the error, or the stage that is found
		}{
			{"enabled", nil, "0x180000", "{1 0}"},
			{"not enabled", nil, "0x80000", "{0 1}"},
			{"another root", func(_, d []byte) { d[16]++ }, "0x180000", "its descriptor is another one"},
			{"no descriptor", func(_, d []byte) { d[len(d)-4]++ }, "0x180000", "its descriptor is another one"},
			{"another tree", func(tree, _ []byte) { tree[0]++ }, "0x180000", "its Merkle tree is another one"},
		} {
			if len(tree) == 0 && c.name == "another tree" {
				continue // a file of one block has none
			}
			t.Run(fmt.Sprintf("%d bytes, %s", size, c.name), func(t *testing.T) {
				tree, last := bytes.Clone(tree), descriptorOf(size, root)
				if c.spoil != nil {
					c.spoil(tree, last)
				}
				work := t.TempDir()
				disk, copied := sealedDisk(t, work, data, tree, last, c.flags, named, unnamed)
				found, stage, err := readSeals(disk, copied, work)
				if err != nil {
					if !strings.Contains(err.Error(), c.want) {
						t.Errorf("got %v, want %q", err, c.want)
					}
					return
				}
				of, enabled := found[copied+named]
				if fmt.Sprint(stage) != c.want || enabled != (stage.kept > 0) || enabled && of != sum {
					t.Errorf("got %x and %v, want %x and %s", of, stage, sum, c.want)
				}
			})
		}
	}
}

// descriptorOf returns the last block of a file that fs-verity is enabled for.
func descriptorOf(size int, root []byte) []byte {
	block := make([]byte, statedisk.BlockSize)
	copy(block, []byte{1, 1, 12})
	binary.LittleEndian.PutUint64(block[8:], uint64(size))
	copy(block[16:], root)
	binary.LittleEndian.PutUint32(block[len(block)-4:], descriptorSize)
	return block
}

// sealedDisk makes a disk with such a file under each of the names, and copies of their bytes in a folder.
func sealedDisk(t *testing.T, work string, data, tree, descriptor []byte, flags string, names ...string) (disk,
	root string) {
	t.Helper()
	disk, root = filepath.Join(work, "disk"), filepath.Join(work, "root")
	whole := filepath.Join(work, "whole")
	padded := append(bytes.Clone(data), make([]byte, -len(data)&(treeAlign-1))...)
	kit.Must(t, os.WriteFile(whole, append(append(padded, tree...), descriptor...), 0o600))
	makeDisk(t, disk)
	edit(t, disk, "mkdir /system", "mkdir /system/sets")
	for _, name := range names {
		kit.Must(t, os.MkdirAll(filepath.Dir(root+name), 0o700))
		kit.Must(t, os.WriteFile(root+name, data, 0o600))
		bundle := filepath.Dir(name)
		edit(t, disk, "mkdir "+filepath.Dir(bundle), "mkdir "+bundle, "write "+whole+" "+name,
			fmt.Sprintf("sif %s size %d", name, len(data)), "sif "+name+" flags "+flags)
	}
	return disk, root
}
