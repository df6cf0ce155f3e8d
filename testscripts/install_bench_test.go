package testscripts

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"nexus/selftest/demo"
)

// installedBytes is the size of the program that the benchmark installs.
const installedBytes = 10 << 20

// BenchmarkInstall shows how long nx takes to install an app of 10 MiB, from the start of the command until the commit
// is durable, beside what copies, hashes and syncs the same bytes, beside dpkg -i of a package with them, and beside
// what copies, syncs and mounts a squashfs image of them, which is what snap does. They take turns, and each ratio is
// the median of those of the rounds. The app has no service, so its trial waits for none.
func BenchmarkInstall(b *testing.B) {
	dir := b.TempDir()
	program, set := packBig(b, dir)
	defer up(b, filepath.Join(dir, "sys"), "--state", filepath.Join(dir, "sys", "state"), "--watch", "0", "--factory",
		setFile(oldVersion))()
	nx := func(args ...string) []string {
		return append([]string{filepath.Join(shared.bin(), "nx"), "--dir", filepath.Join(dir, "sys")}, args...)
	}
	timed(b, nx("trust", "add", "--role", "apps", filepath.Join(shared.demo(), "keys", "demo.pub")))
	root, image := dpkgRoot(b, dir), squashfs(b, dir, program)
	copying := []string{"sh", "-c", `cp "$0" "$1" && sha256sum "$1" >/dev/null && sync "$1" "${1%/*}"`, program,
		filepath.Join(dir, "copy")}
	mounted := filepath.Join(dir, "mounted")
	mounting := []string{"sh", "-c",
		`cp "$0" "$1.img" && sync "$1.img" "${1%/*}" && mount -t squashfs -o loop,ro "$1.img" "$1"`,
		image, mounted}
	var install, copied, dpkg, squash []time.Duration
	for b.Loop() {
		copied = append(copied, timed(b, copying))
		install = append(install, timed(b, nx("install", set)))
		timed(b, nx("uninstall", "big"))
		os.Remove(filepath.Join(dir, "copy"))
		if root != "" {
			dpkg = append(dpkg, timed(b, []string{"dpkg", "--root=" + root, "-i", filepath.Join(dir, "big.deb")}))
			timed(b, []string{"dpkg", "--root=" + root, "--purge", "big"})
		}
		if image != "" {
			squash = append(squash, timed(b, mounting))
			timed(b, []string{"umount", mounted})
			os.Remove(mounted + ".img")
		}
	}
	b.ReportMetric(0, "ns/op")
	report(b, "cp+sha256sum+sync", copied, copied)
	report(b, "install", install, copied)
	report(b, "dpkg-i", dpkg, copied)
	report(b, "squashfs", squash, copied)
}

// report reports the median of the times, and of their ratios to those of the floor. There are none of a tool that does
// not work here.
func report(b *testing.B, name string, times, floor []time.Duration) {
	if len(times) == 0 {
		return
	}
	ratios := make([]float64, len(times))
	for i := range times {
		ratios[i] = float64(times[i]) / float64(floor[i])
	}
	slices.Sort(ratios)
	b.ReportMetric(ms(median(slices.Clone(times))), "ms/"+name)
	b.ReportMetric(ratios[len(ratios)/2], "x/"+name)
}

// timed runs a command and returns how long it took.
func timed(b *testing.B, line []string) time.Duration {
	b.Helper()
	began := time.Now()
	if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
		b.Fatalf("%q: %v: %s", line, err, out)
	}
	return time.Since(began)
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// packBig makes a program of that size, and a set of it.
func packBig(b *testing.B, dir string) (program, set string) {
	b.Helper()
	raw, err := os.ReadFile(filepath.Join(shared.demo(), "work", oldVersion, "ticker"))
	if err != nil {
		b.Fatal(err)
	}
	more := make([]byte, max(0, installedBytes-len(raw)))
	rand.Read(more)
	program, set = filepath.Join(dir, "big"), filepath.Join(dir, "big.nxs")
	if err := os.WriteFile(program, append(raw, more...), 0o755); err != nil {
		b.Fatal(err)
	}
	p := demo.Packer{Bin: shared.bin(), Key: filepath.Join(shared.demo(), "keys", "demo")}
	m := demo.Manifest{Name: "big", Version: oldVersion, Abilities: `"nexus.ability.Main"`}
	if err := p.Bundle(m, program, filepath.Join(dir, "bundles")); err != nil {
		b.Fatal(err)
	}
	if err := p.Set(filepath.Join(dir, "bundles"), oldVersion, set); err != nil {
		b.Fatal(err)
	}
	return program, set
}

// dpkgRoot makes a package of the program, and a root to install it into; empty where that does not work here.
func dpkgRoot(b *testing.B, dir string) string {
	b.Helper()
	root := filepath.Join(dir, "root")
	script := fmt.Sprintf(`set -e
mkdir -p deb/DEBIAN deb/opt root/var/lib/dpkg/info root/var/lib/dpkg/updates root/var/lib/dpkg/triggers root/var/log
touch root/var/lib/dpkg/status
cp big deb/opt/big
printf 'Package: big\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: big\n' \
	>deb/DEBIAN/control
dpkg-deb -Znone --root-owner-group -b deb big.deb
dpkg --root=%s -i big.deb && dpkg --root=%s --purge big`, root, root)
	make := exec.Command("sh", "-c", script)
	make.Dir = dir
	if out, err := make.CombinedOutput(); err != nil {
		b.Logf("without dpkg: %v: %s", err, out)
		return ""
	}
	return root
}

// squashfs makes an uncompressed image of the program, and a folder to mount it at; empty where that fails here.
func squashfs(b *testing.B, dir, program string) string {
	b.Helper()
	make := exec.Command("sh", "-c", `set -e
mkdir mounted
mksquashfs "$0" big.squashfs -noI -noD -noF -noX -quiet -no-progress
mount -t squashfs -o loop,ro big.squashfs mounted && umount mounted`, program)
	make.Dir = dir
	if out, err := make.CombinedOutput(); err != nil {
		b.Logf("without squashfs: %v: %s", err, out)
		return ""
	}
	return filepath.Join(dir, "big.squashfs")
}
