package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nexus/selftest/demo"
	"nexus/selftest/kernel"
	"nexus/selftest/kit"
	"nexus/selftest/qemu"
)

// Debian's busybox, unchanged, and a program of ours serve to this host. Ours greets with the page of a data bundle,
// counts visits in its state, uses a device, and connects to the port that it was granted and to no other. Both go on
// through an update, a rollback and a reboot: no request is lost at the former two, and what was counted on trial goes
// with its version.
func TestNetwork(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		m.Memory, m.Reboots = 384, true
		m.Disk.File = filepath.Join(t.TempDir(), "disk")
		kit.Must(t, qemu.MakeDisk(m.Disk.File, 4*testDisk))
		m.Forward = []qemu.Forward{{Host: unused(t), Guest: 8080}, {Host: unused(t), Guest: 8081}}
		web, httpd := m.Forward[0].Host, m.Forward[1].Host
		r := up(t, m)
		r.await("init: health ok", 1)
		for _, line := range r.console() {
			if strings.HasPrefix(line, "init: no network") {
				t.Fatal(line)
			}
		}
		policy := filepath.Join(r.dir, "policy.toml")
		kit.Must(t, os.WriteFile(policy, []byte(networkPolicy), 0o644))
		r.nx("policy", "set", policy).want(t, 0, "the policy is set")
		first, second := networkSet(t, m.Arch, "2.0.0", "hello"), networkSet(t, m.Arch, "3.0.0", "welcome")
		r.nx("update", first).want(t, 0, "updated to 2.0.0")
		wantPages(t, web, httpd, "hello from 2.0.0, visit 1")

		v := visit(t, web)
		r.nx("update", second).want(t, 0, "updated to 3.0.0")
		v.awaitFrom("welcome from 3.0.0")
		r.nx("rollback").want(t, 0, "rolled back: 2.0.0")
		v.awaitFrom("hello from 2.0.0")
		next := v.end()
		wantPages(t, web, httpd, fmt.Sprintf("hello from 2.0.0, visit %d", next))

		r.nx("reboot").want(t, 0, "")
		r.await("init: health ok", 5)
		wantPages(t, web, httpd, fmt.Sprintf("hello from 2.0.0, visit %d", next+1))
		r.nx("shutdown").want(t, 0, "is down")
		kit.Must(t, r.end())
	})
}

// wantPages wants a greeting, and that each power is there, and no other.
func wantPages(t *testing.T, web, httpd uint16, greeting string) {
	t.Helper()
	for path, want := range map[string]string{
		"/dial/8081":   "connected",
		"/dial/8080":   "permission denied",
		"/device/zero": `read "\x00\x00\x00\x00": <nil>, written: <nil>`,
	} {
		wantPage(t, web, path, want)
	}
	wantPage(t, web, "/", greeting+"\n")
	wantPage(t, httpd, "/", "404 Not Found")
}

// unused is a port of this host.
func unused(t *testing.T) uint16 {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	kit.Must(t, err)
	defer listener.Close()
	return uint16(listener.Addr().(*net.TCPAddr).Port)
}

// wantPage wants a text in a page of the guest's.
func wantPage(t *testing.T, port uint16, path, want string) {
	t.Helper()
	if text, err := get(port, path); err != nil || !strings.Contains(text, want) {
		t.Errorf("%s: got %q, %v, want %q", path, text, err, want)
	}
}

// get asks a server of the guest's, over a connection of its own.
func get(port uint16, path string) (string, error) {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

const networkPolicy = `[[device]]
name = "zero"
path = "/dev/zero"
write = true

[[allow]]
publisher = "*"
bundle = "*"
powers = ["net.listen:tcp/8080-8081", "net.connect:tcp/8081", "data:pages", "state:8MiB", "device:zero"]
`

// networkSet packs a set of both programs, and of the page with that greeting, by the demo's key.
func networkSet(t *testing.T, arch, version, greeting string) string {
	t.Helper()
	dir := t.TempDir()
	output := filepath.Join("../../out/guest", arch, "demo")
	p := demo.Packer{Bin: "../../bin", Key: filepath.Join(output, "keys", "demo")}
	in, set, web := filepath.Join(dir, "in"), filepath.Join(dir, "system.nxs"), filepath.Join(dir, "web")
	build(t, arch, web, "nexus/selftest/demo/web", "-X main.version="+version)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	busybox, err := kernel.Busybox(ctx, top().Cache, arch, io.Discard)
	kit.Must(t, err)
	kit.Must(t, p.Bundle(demo.Manifest{Name: "web", Version: version, Abilities: demo.Plain,
		Caps: `"net.listen:tcp/8080", "net.connect:tcp/8081", "data:pages", "state:8MiB", "device:zero"`}, web, in))
	kit.Must(t, p.Bundle(demo.Manifest{Name: "httpd", Version: version, Abilities: demo.Plain,
		Caps: `"net.listen:tcp/8081"`, Args: `"-f", "-p", "80"`}, busybox, in))
	pages := filepath.Join(dir, "pages")
	kit.Must(t, os.Mkdir(pages, 0o755))
	kit.Must(t, os.WriteFile(filepath.Join(pages, "greeting"), []byte(greeting), 0o644))
	kit.Must(t, p.Tree("pages", version, pages, in))
	kit.Must(t, p.Set(in, version, set))
	return set
}
