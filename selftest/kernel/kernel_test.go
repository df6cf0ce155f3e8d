package kernel

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nexus/selftest/kit"
)

// hint returns the advice that comes with an error.
func hint(err error) string {
	var advice interface{ Hint() string }
	if errors.As(err, &advice) {
		return advice.Hint()
	}
	return ""
}

func TestFindSaysWhatToDo(t *testing.T) {
	_, err := Find(t.TempDir(), "riscv64")
	if err == nil || err.Error() != "cannot find kernel for guest riscv64" ||
		hint(err) != "`make guest-deps GUEST=riscv64` brings it" {
		t.Errorf("got %v, hint: %s", err, hint(err))
	}
	if _, err := Find(t.TempDir(), "vax"); err == nil || err.Error() != `unknown guest "vax": riscv64 or amd64` {
		t.Errorf("got %v", err)
	}
}

// TestACacheWithoutAModuleIsNoticed checks that a kernel is fetched again if it was cached for another list of modules.
func TestACacheWithoutAModuleIsNoticed(t *testing.T) {
	cache := t.TempDir()
	dir := filepath.Join(cache, "amd64")
	kit.Must(t, os.MkdirAll(dir, 0o755))
	for name, text := range map[string]string{fileKernel: "", filePackage: "linux-image", fileWanted: "virtio_pci\n"} {
		kit.Must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	for _, lose := range []func() error{func() error { return nil },
		func() error { return os.Remove(filepath.Join(dir, fileWanted)) }} {
		kit.Must(t, lose())
		_, err := Find(cache, "amd64")
		if err == nil || err.Error() != "cannot find all modules for guest amd64" ||
			hint(err) != "`make guest-deps GUEST=amd64` brings it" {
			t.Errorf("got %v, hint: %s", err, hint(err))
		}
	}
	if err := os.WriteFile(filepath.Join(dir, fileWanted), []byte(arches["amd64"].wanted()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(cache, "amd64"); err != nil && !strings.HasPrefix(err.Error(), "cannot find qemu") {
		t.Errorf("with all modules: %v", err)
	}
}

// newMirror makes a mirror with one package, of a kernel that has these modules built in.
func newMirror(t *testing.T, modules []string) (string, pin) {
	t.Helper()
	for _, tool := range []string{"dpkg-deb", "depmod", "xz", "/usr/lib/apt/apt-helper"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs the packages dpkg, apt, xz-utils and kmod: %v", err)
		}
	}
	if !exists("/usr/share/keyrings/debian-archive-keyring.gpg") {
		t.Skip("needs the package debian-archive-keyring")
	}
	mirror, root := t.TempDir(), filepath.Join(t.TempDir(), "root")
	var builtin []string
	for _, module := range modules {
		builtin = append(builtin, "kernel/"+module+".ko\n")
	}
	for name, text := range map[string]string{
		"DEBIAN/control":                      "Package: linux-image\nVersion: 1\nArchitecture: all\nMaintainer: m\nDescription: d\n",
		"boot/vmlinuz-6.1":                    "a kernel",
		"usr/lib/modules/6.1/modules.builtin": strings.Join(builtin, ""),
		"usr/lib/modules/6.1/modules.order":   "",
	} {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755),
			os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	p := pin{path: "linux-image_1_all.deb"}
	file := filepath.Join(mirror, p.path)
	if out, err := exec.Command("dpkg-deb", "-b", root, file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	raw, err := os.ReadFile(file)
	kit.Must(t, err)
	sum := sha256.Sum256(raw)
	p.sha256 = hex.EncodeToString(sum[:])
	return "file://" + mirror, p
}

// TestFetch fetches a kernel from a mirror of its own. A package with another digest, and a kernel without a module
// that a guest needs, leave nothing in the cache.
func TestFetch(t *testing.T) {
	a := arches["riscv64"]
	all := append(a.modules(), strings.Fields(diskModules)...)
	for _, c := range []struct {
		name    string
		modules []string
		spoil   func(*pin)
		want    string // of the error
	}{
		{"as it was pinned", all, func(*pin) {}, ""},
		{"another digest", all, func(p *pin) { p.sha256 = strings.Repeat("0", 64) }, "cannot run apt-get: "},
		{"not on the mirror", all, func(p *pin) { p.path = "other.deb" }, "cannot run apt-get: "},
		{"without a module", all[1:], func(*pin) {}, "the kernel has no module virtio_pci: "},
		{"without the file system", a.modules(), func(*pin) {}, "the kernel has no module crc32c_generic: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			mirror, p := newMirror(t, c.modules)
			c.spoil(&p)
			cache := t.TempDir()
			err := a.fetch(t.Context(), t.Output(), "kernel", p.from(mirror, cache, "riscv64")...)
			left, _ := os.ReadDir(cache)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || len(left) > 0 {
					t.Errorf("got %v and %v, want %s", err, left, c.want)
				}
				return
			}
			raw, readErr := os.ReadFile(filepath.Join(cache, "riscv64", fileKernel))
			if err != nil || string(raw) != "a kernel" || len(left) != 1 {
				t.Errorf("got %v, %q, %v, %v", err, raw, readErr, left)
			}
			if _, err := Find(cache, "riscv64"); err != nil && !strings.HasPrefix(err.Error(), "cannot find qemu") {
				t.Error(err)
			}
		})
	}
}

func TestFetchSaysWhatToDo(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	empty := t.TempDir()
	kit.Must(t, os.Symlink(bash, filepath.Join(empty, "bash")))
	t.Setenv("PATH", empty)
	err = arches["riscv64"].fetch(t.Context(), t.Output(), "tools")
	if err == nil || err.Error() != "cannot run dpkg-query: not installed" ||
		!strings.Contains(hint(err), "GUEST=host") {
		t.Errorf("got %v, hint: %s", err, hint(err))
	}
}
