package bundlestate_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"nexus/libupdates/bundlestate"
)

// makeImage makes an empty image with mke2fs: 65,536 inodes, a journal of 4 MiB, nothing reserved for root, checksums
// for all metadata, nothing written that may be zero. Ids and times are fixed.
func makeImage(t *testing.T) string {
	t.Helper()
	mke2fs, err := exec.LookPath("mke2fs")
	if err != nil {
		mke2fs = "/sbin/mke2fs"
	}
	if _, err := os.Stat(mke2fs); err != nil {
		t.Skip("no mke2fs on this machine: ", err)
	}
	const id = "6e657875-732d-7374-6174-65000000001d"
	dir := t.TempDir()
	path, config := filepath.Join(dir, "image"), filepath.Join(dir, "mke2fs.conf")
	if err := os.WriteFile(config, []byte("[fs_types]\n\text4 = {\n\t}\n\tbig = {\n\t}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(mke2fs, "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-N", "65536", "-m", "0",
		"-J", "size=4", "-e", "remount-ro", "-G", "256", "-L", "nexus-bundle", "-U", id, "-M", "",
		"-E", "hash_seed="+id+",lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0",
		"-O", "none,has_journal,ext_attr,dir_index,sparse_super2,filetype,extent,flex_bg,sparse_super,large_file,"+
			"huge_file,dir_nlink,extra_isize,metadata_csum", path, "17G")
	cmd.Env = []string{"MKE2FS_CONFIG=" + config, "E2FSPROGS_FAKE_TIME=1", "LC_ALL=C"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v\n%s", err, out)
	}
	return path
}

// A new image is the output of mke2fs with these options. Other versions of mke2fs may give another one.
func TestImage(t *testing.T) {
	made := makeImage(t)
	path := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(path)
	if err == nil {
		err = errors.Join(f.Truncate(bundlestate.ImageSize), bundlestate.WriteImage(f), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	same, err := sameBlocks(path, made)
	if err != nil {
		t.Fatal(err)
	}
	if !same {
		t.Log("the mke2fs of this machine makes another one, which is no fault")
	}
}

// sameBlocks compares what two sparse files hold, where either has data.
func sameBlocks(one, other string) (bool, error) {
	for _, pair := range [][2]string{{one, other}, {other, one}} {
		data, err := os.Open(pair[0])
		if err != nil {
			return false, err
		}
		defer data.Close()
		beside, err := os.Open(pair[1])
		if err != nil {
			return false, err
		}
		defer beside.Close()
		const seekData = 3
		a, b := make([]byte, bundlestate.ImageBlock), make([]byte, bundlestate.ImageBlock)
		for at := int64(0); at < bundlestate.ImageSize; at += bundlestate.ImageBlock {
			if at, err = data.Seek(at, seekData); err != nil {
				break // nothing but a hole is left
			}
			at = at / bundlestate.ImageBlock * bundlestate.ImageBlock
			if _, err := data.ReadAt(a, at); err != nil && !errors.Is(err, io.EOF) {
				return false, err
			}
			if _, err := beside.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
				return false, err
			}
			if !bytes.Equal(a, b) {
				return false, nil
			}
		}
	}
	return true, nil
}
