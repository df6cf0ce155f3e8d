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

// Debian's busybox, unchanged, and a program of ours serve to this host, and ours connects to the port that it was
// granted and to no other. Both go on through an update and a rollback behind the same sockets.
func TestNetwork(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		m.Memory = 384
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
		for _, version := range []string{"2.0.0", "3.0.0"} {
			r.nx("update", networkSet(t, m.Arch, version)).want(t, 0, "updated to "+version)
			wantPage(t, web, "/", "hello from "+version)
			wantPage(t, web, "/dial/8081", "connected")
			wantPage(t, web, "/dial/8080", "permission denied")
			wantPage(t, httpd, "/", "404 Not Found")
		}
		r.nx("rollback").want(t, 0, "")
		r.await("init: health ok", 4)
		wantPage(t, web, "/", "hello from 2.0.0")
		wantPage(t, httpd, "/", "404 Not Found")
	})
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
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	kit.Must(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || !strings.Contains(string(text), want) {
		t.Errorf("%s: got %q, %v, want %q", path, text, err, want)
	}
}

const networkPolicy = `[[allow]]
publisher = "*"
bundle = "*"
powers = ["net.listen:tcp/8080-8081", "net.connect:tcp/8081"]
`

// networkSet packs a set of both programs, by the demo's key.
func networkSet(t *testing.T, arch, version string) string {
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
		Caps: `"net.listen:tcp/8080", "net.connect:tcp/8081"`}, web, in))
	kit.Must(t, p.Bundle(demo.Manifest{Name: "httpd", Version: version, Abilities: demo.Plain,
		Caps: `"net.listen:tcp/8081"`, Args: `"-f", "-p", "80"`}, busybox, in))
	kit.Must(t, p.Set(in, version, set))
	return set
}
