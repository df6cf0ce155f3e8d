package statedisk

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the template, where it is missing")

// templateSum is the SHA-256 of the uncompressed template. Disks in use were made from it.
const templateSum = "01db3128d68245aa00c21b80c1d8de6245e17d3fc828223a45b924daa7b33b65"

// makeTemplate makes the template with mke2fs, and with further features: blocks of 4 KiB, 8,192 inodes per 128 MiB, a
// journal of 4 MiB, 5 % reserved for root (PID 1 starts even on a full disk), checksums for all metadata, read-only
// after damage is found, room for the kernel to grow it to 256 GiB. Ids and times are fixed.
func makeTemplate(t *testing.T, more string) []byte {
	t.Helper()
	mke2fs, err := exec.LookPath("mke2fs")
	if err != nil {
		mke2fs = "/sbin/mke2fs"
	}
	if _, err := os.Stat(mke2fs); err != nil {
		t.Skip("no mke2fs on this machine: ", err)
	}
	const id = "6e657875-732d-7374-6174-652d6469736b" // spells nexus-state-disk
	dir := t.TempDir()
	config, path := filepath.Join(dir, "mke2fs.conf"), filepath.Join(dir, "template")
	if err := os.WriteFile(config, []byte("[fs_types]\n\text4 = {\n\t}\n\tsmall = {\n\t}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(mke2fs, "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-N", "8192", "-m", "5", "-J",
		"size=4", "-e", "remount-ro",
		"-L", Label, "-U", id, "-M", "",
		"-E", "hash_seed="+id+",lazy_itable_init=0,lazy_journal_init=0,resize=67108864,nodiscard,root_owner=0:0",
		"-O", "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum"+more,
		path, "16M")
	cmd.Env = []string{"MKE2FS_CONFIG=" + config, "E2FSPROGS_FAKE_TIME=1", "LC_ALL=C"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v\n%s", err, out)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The template is the output of mke2fs with these options, and never changes. Other versions of mke2fs may give another
// one.
func TestTemplate(t *testing.T) {
	if len(template) == 0 && *update {
		var packed bytes.Buffer
		w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		w.Write(makeTemplate(t, ""))
		w.Close()
		if err := os.WriteFile("template.ext4.gz", packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Skip("written; it counts from the next build on")
	}
	r, err := gzip.NewReader(bytes.NewReader(template))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil || len(plain) != MinSize {
		t.Fatalf("%d bytes, %v", len(plain), err)
	}
	if sum := sha256.Sum256(plain); hex.EncodeToString(sum[:]) != templateSum {
		t.Errorf("the template has the digest %x", sum)
	}
	if super := superblock(plain[superOffset : superOffset+superSize]); !super.isOurs() || !super.intact() ||
		super.noted() {
		t.Error("the template is not ours")
	}
	if made := makeTemplate(t, ""); !bytes.Equal(made, plain) {
		t.Log("the mke2fs of this machine makes another one, which is no fault")
	}
}

// The first block of a new disk is what mke2fs writes when it is asked for the feature fs-verity as well, and no other
// block differs.
func TestFirstBlockHasFsVerity(t *testing.T) {
	plain, verity := makeTemplate(t, ""), makeTemplate(t, ",verity")
	if got := firstBlock(plain[:BlockSize]); !bytes.Equal(got, verity[:BlockSize]) {
		t.Error("mke2fs makes another first block")
	}
	if !bytes.Equal(plain[BlockSize:], verity[BlockSize:]) {
		t.Error("mke2fs makes other blocks")
	}
}
