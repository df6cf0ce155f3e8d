package image_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/u-root/u-root/pkg/cpio"

	"nexus/daemons/initd"
	"nexus/selftest/image"
	"nexus/selftest/kit"
)

// A rig has the inputs of an image: a static program for this machine, and small files.
type rig struct {
	dir  string
	spec image.Spec
}

func newRig(t *testing.T) rig {
	t.Helper()
	r := rig{dir: t.TempDir()}
	r.spec = image.Spec{
		Arch: runtime.GOARCH, Binary: r.program(t, "static", "0"),
		Tools: []string{r.program(t, "tool", "0")},
		Trust: []string{r.write(t, "demo.pub", publicKey), otherKey, "apps=" + otherKey}, Factory: r.write(t, "system-v1.0.0.nxs", "factory"),
		Sets:    []string{r.write(t, "b.nxs", "set b"), r.write(t, "a.nxs", "set a")},
		Modules: []string{r.write(t, "virtio.ko", "first"), r.write(t, "console.ko", "second")},
		DiskFS:  []string{r.write(t, "ext4.ko", "third")},
	}
	return r
}

// Two public keys: hex in a file that says by its name what it is, and a text that says so itself.
const (
	publicHex = "d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737"
	publicKey = publicHex + "\n"
	otherHex  = "7cb91871b6eb573f7947fb7e9725b8ea8210a97d335f901812fd3ff3b0f7523a"
	otherKey  = "nexus-ed25519-public:" + otherHex
)

func (r rig) write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(r.dir, name)
	kit.Must(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// program builds a program that does nothing.
func (r rig) program(t *testing.T, name, cgo string) string {
	t.Helper()
	source := r.write(t, name+".go", "package main\n\nfunc main() {}\n")
	path := filepath.Join(r.dir, name)
	cmd := exec.Command("go", "build", "-o", path, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func build(t *testing.T, spec image.Spec) []byte {
	t.Helper()
	var out bytes.Buffer
	kit.Must(t, image.Write(&out, spec))
	return out.Bytes()
}

// unpack reads an image as the kernel does.
func unpack(t *testing.T, raw []byte) []cpio.Record {
	t.Helper()
	plain, err := zstd.NewReader(bytes.NewReader(raw))
	kit.Must(t, err)
	defer plain.Close()
	all, err := io.ReadAll(plain)
	kit.Must(t, err)
	records, err := cpio.ReadAllRecords(cpio.Newc.Reader(bytes.NewReader(all)))
	kit.Must(t, err)
	return records
}

func TestLayout(t *testing.T) {
	content := map[string]string{}
	var names []string
	for _, r := range unpack(t, build(t, newRig(t).spec)) {
		if parent := filepath.Dir(r.Name); parent != "." && !slices.Contains(names, parent) {
			t.Errorf("%s comes before %s", r.Name, parent)
		}
		if r.UID != 0 || r.GID != 0 || r.MTime != 0 {
			t.Errorf("%s: owner %d:%d, time %d", r.Name, r.UID, r.GID, r.MTime)
		}
		text, err := io.ReadAll(io.NewSectionReader(r, 0, int64(r.FileSize)))
		kit.Must(t, err)
		names = append(names, r.Name)
		content[r.Name] = string(text)
	}
	for name, want := range map[string]string{
		"init":                                      "/bin/nexus",
		"bin/updated":                               "nexus",
		"etc/nexus/trust/" + publicHex + ".pub":     publicHex + "\n",
		"etc/nexus/trust/" + otherHex + ".pub":      otherHex + "\n",
		"etc/nexus/trust/apps/" + otherHex + ".pub": otherHex + "\n",
		"etc/nexus/factory.nxs":                     "factory",
		"etc/nexus/sets/a.nxs":                      "set a",
		"etc/nexus/sets/b.nxs":                      "set b",
		"lib/modules/000-virtio.ko":                 "first",
		"lib/modules/001-console.ko":                "second",
		"lib/modules/disk/000-ext4.ko":              "third",
		"dev/console":                               "",
		"dev/null":                                  "",
	} {
		if got, there := content[name]; !there || got != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, there, want)
		}
	}
	if !strings.HasPrefix(content["bin/tool"], "\x7fELF") {
		t.Errorf("bin/tool is %q", content["bin/tool"])
	}
	for _, daemon := range initd.Table() {
		if daemon.Process() && content["bin/"+daemon.Name] != "nexus" {
			t.Errorf("no link for %s", daemon.Name)
		}
	}
}

// TestReproducible checks that the same inputs give the same bytes, wherever they are and whenever they were written.
func TestReproducible(t *testing.T) {
	one, two := newRig(t), newRig(t)
	for from, to := range map[string]string{one.spec.Binary: two.spec.Binary, one.spec.Tools[0]: two.spec.Tools[0]} {
		copied, err := os.ReadFile(from)
		kit.Must(t, err)
		kit.Must(t, os.WriteFile(to, copied, 0o600))
	}
	if !bytes.Equal(build(t, one.spec), build(t, two.spec)) {
		t.Error("two builds of the same inputs differ")
	}
}

func TestRefuses(t *testing.T) {
	r := newRig(t)
	other := map[string]string{"amd64": "riscv64", "riscv64": "amd64"}[runtime.GOARCH]
	for _, c := range []struct {
		name string
		spec func(*image.Spec)
		want string
	}{
		{"unknown architecture", func(s *image.Spec) { s.Arch = "vax" }, `unknown architecture "vax"`},
		{"binary for another machine", func(s *image.Spec) { s.Arch = other }, "is for EM_"},
		{"no program", func(s *image.Spec) { s.Binary = s.Factory }, "cannot read"},
		{"no program among the tools", func(s *image.Spec) { s.Tools = append(s.Tools, s.Factory) }, "cannot read"},
		{"no binary", func(s *image.Spec) { s.Binary = "none" }, "no such file"},
		{"missing module", func(s *image.Spec) { s.Modules = []string{"none.ko"} }, "none.ko: no such file"},
		{"missing set", func(s *image.Spec) { s.Sets = []string{"none.nxs"} }, "none.nxs: no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := r.spec
			c.spec(&spec)
			path := filepath.Join(t.TempDir(), "image")
			_, err := image.WriteFile(path, spec)
			if err == nil || !strings.HasPrefix(err.Error(), "cannot build image: ") ||
				!strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			wantEmpty(t, filepath.Dir(path))
		})
	}
}

// TestRefusesDynamicBinary builds an image with a program that needs a loader, which a guest does not have.
func TestRefusesDynamicBinary(t *testing.T) {
	sh, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Skip("no /bin/sh on this machine: ", err)
	}
	spec := newRig(t).spec
	spec.Binary = sh
	if err := image.Write(io.Discard, spec); err == nil || !strings.Contains(err.Error(), "is not static") {
		t.Errorf("got %v", err)
	}
}

// TestDiskFull checks that a full disk leaves the previous image and nothing else.
func TestDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: cannot mount a small disk to fill")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("cannot mount a small disk to fill: ", err)
	}
	defer syscall.Unmount(dir, 0)
	path := filepath.Join(dir, "image")
	kit.Must(t, os.WriteFile(path, []byte("before"), 0o600))
	_, err := image.WriteFile(path, newRig(t).spec)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want no space", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "before" {
		t.Errorf("the image is %q, %v", got, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
