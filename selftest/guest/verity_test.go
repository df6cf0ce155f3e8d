package main

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nexus/libupdates/statedisk"
	"nexus/selftest/kit"
	"nexus/selftest/qemu"
)

const (
	keptLine = "payloads  verified by the kernel at every read"
	readLine = "payloads  read at each boot attempt: no fs-verity"
)

// A machine whose disk is new has the kernel verify the payloads of each set, also after an update and a reset. One
// without a disk, and one whose disk an earlier version made, read them, and say so.
func TestFsVerity(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		m.Disk.File = filepath.Join(t.TempDir(), "disk")
		m.Reboots = true
		kit.Must(t, qemu.MakeDisk(m.Disk.File, testDisk))
		r := up(t, m)
		r.await("init: health ok (slot a)", 1)
		r.nx("status").want(t, 0, keptLine)
		r.nx("update", set(m.Arch, "system-v1.1.0.nxs")).want(t, 0, "healthy")
		r.nx("status").want(t, 0, keptLine)
		r.nx("verify").want(t, 0, "intact")
		r.Reset()
		r.await("init: health ok (slot b)", 2)
		r.nx("status").want(t, 0, keptLine)
		r.nx("shutdown").want(t, 0, "is down")
		kit.Must(t, r.end())
		inOrder(t, m.Disk.File)

		t.Run("decay", func(t *testing.T) { testDecay(t, copied(t, m)) })
		t.Run("exchanged", func(t *testing.T) { testExchanged(t, copied(t, m)) })
		debugfs(t, m.Disk.File, "feature -verity")
		r = up(t, m)
		r.await("init: health ok (slot b)", 1)
		r.nx("status").want(t, 0, readLine)
		r.Kill()
		r.end()
	})
}

// A program runs from the file that the kernel verifies. If the block that it begins in has decayed, the kernel ends
// it, which is a crash by damage and not the set's fault: the slot is marked, and the other one comes back.
func testDecay(t *testing.T, m qemu.Machine) {
	decay(t, m.Disk.File, "/system/b/hello.nxb/payload.elf")
	r := up(t, m)
	r.await(`execd: crash process=bundle:hello exit="signal 7 (bus error): damaged"`, 1)
	r.await("init: health ok (slot a)", 1)
	r.nx("status", "--json").want(t, 0, `"damage":"damaged"`)
	r.nx("status", "--json").want(t, 0, `"quarantine":[]`)
	r.nx("stage", set(m.Arch, "system-v1.1.0.nxs")).want(t, 0, "1.1.0")
	r.nx("verify").want(t, 0, "1.1.0 is intact")
	r.nx("shutdown").want(t, 0, "is down")
	kit.Must(t, r.end())
}

// Somebody who can write to the disk while the machine is off puts another file in place of a payload. The kernel
// verifies that one as well, against its own content: it is the same bundle of the set before. The boot attempt
// measures it and refuses the slot, nothing of the file is executed, and the other slot comes back.
func testExchanged(t *testing.T, m qemu.Machine) {
	const of, in = "/system/a/hello.nxb/payload.elf", "/system/b/hello.nxb/payload.elf"
	debugfs(t, m.Disk.File, "unlink "+in, "link "+of+" "+in, "set_inode_field "+of+" links_count 2")
	r := up(t, m)
	r.await("updated: audit op=damaged slot=b version=1.1.0 result=failed reason=damaged", 1)
	r.await("init: health ok (slot a)", 1)
	if n := count(r.console(), "bundlemgrd: slot b active"); n > 0 {
		t.Error("the slot was published")
	}
	r.nx("status", "--json").want(t, 0, `"damage":"damaged"`)
	r.nx("status", "--json").want(t, 0, `"quarantine":[]`)
	r.nx("verify").want(t, 1, "slot b: 1.1.0 is not: the kernel verifies hello.nxb/payload.elf against another digest")
	r.nx("shutdown").want(t, 0, "is down")
	kit.Must(t, r.end())
}

// decay changes the block of a program on a disk that its first instruction is in.
func decay(t *testing.T, disk, name string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	ask := func(request string) string {
		out, err := exec.CommandContext(t.Context(), e2fs(t, "debugfs"), "-R", request, disk).Output()
		kit.Must(t, err)
		return strings.TrimSpace(string(out))
	}
	ask("dump " + name + " " + program)
	var block int64
	found := ask(fmt.Sprintf("bmap %s %d", name, entryOf(t, program)/statedisk.BlockSize))
	if _, err := fmt.Sscan(found, &block); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(disk, os.O_RDWR, 0)
	kit.Must(t, err)
	defer f.Close()
	raw := make([]byte, statedisk.BlockSize)
	if _, err := f.ReadAt(raw, block*statedisk.BlockSize); err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	if _, err := f.WriteAt(raw, block*statedisk.BlockSize); err != nil {
		t.Fatal(err)
	}
}

// entryOf returns the offset of a program's first instruction in its file.
func entryOf(t *testing.T, program string) int64 {
	t.Helper()
	f, err := elf.Open(program)
	kit.Must(t, err)
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && f.Entry >= p.Vaddr && f.Entry < p.Vaddr+p.Filesz {
			return int64(f.Entry - p.Vaddr + p.Off)
		}
	}
	t.Fatal("the program has no entry")
	return 0
}
