package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"nexus/oci/ocitest"
	"nexus/selftest/image"
	"nexus/selftest/kit"
	"nexus/selftest/qemu"
)

// What TestFetchOutlivesPowerCuts fetches, and how much of it may come twice because of one cut.
const (
	fetchedPayload = 8 << 20
	fetchedTwice   = 1 << 20
)

// A machine fetches a set from a registry of this host, by TLS. It is reset in the middle, and later its power is cut.
// After each it goes on where it was. What came is counted at its network device: what is on the way there is not lost.
func TestFetchOutlivesPowerCuts(t *testing.T) {
	each(t, func(t *testing.T, m qemu.Machine) {
		registry := ocitest.Start(t, ocitest.Debian, ocitest.Options{TLS: true})
		tool(t, "nxs-pack", "push", randomSet(t, m.Arch, fetchedPayload), "oci://"+registry.Host+"/data:9", "--ca",
			registry.CA)
		l := ocitest.NewLine(t, registry.Host)
		port := netip.MustParseAddrPort(l.Host()).Port()
		reference := fmt.Sprintf("oci://10.0.2.2:%d/data:9", port)
		captures := []string{filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "second")}
		m.Disk.File = filepath.Join(t.TempDir(), "disk")
		kit.Must(t, qemu.MakeDisk(m.Disk.File, 64<<20))
		m.Reboots = true
		m.Image = imageWith(t, m, map[string]string{"/etc/registry.pem": registry.CA})
		m.Args = []string{"--registry-ca", "/etc/registry.pem"}
		m.Capture = captures[0]
		r := up(t, m)
		r.await("init: health ok", 1)
		cut := func(end func()) {
			t.Helper()
			reached := make(chan struct{})
			l.When(l.Total()+fetchedPayload/3, func() { close(reached) })
			fetch := r.command(t.Context(), "stage", reference)
			said := &recorder{text: "nothing ends it", found: make(chan struct{})}
			fetch.Stdout, fetch.Stderr = said, said
			kit.Must(t, fetch.Start())
			await(t, reached, "a third of the set")
			end()
			if err := fetch.Wait(); err == nil {
				t.Fatalf("the fetch was not interrupted: %s", &said.seen)
			}
		}
		cut(r.Reset)
		r.await("init: health ok", 2)
		cut(r.Kill)
		r.end()
		m.Capture = captures[1]
		r = up(t, m)
		r.await("init: health ok", 1)
		r.nx("stage", reference).want(t, 0, "staged 9.0.0 for slot b")
		twice := int64(-fetchedPayload)
		for _, capture := range captures {
			came, err := qemu.Received(capture, port)
			kit.Must(t, err)
			twice += came
		}
		if twice < 0 || twice > 2*fetchedTwice {
			t.Errorf("%d bytes came twice because of two cuts", twice)
		} else {
			t.Logf("%d bytes came twice, or are not payload", twice)
		}
		r.nx("verify").want(t, 0, "")
	})
}

// randomSet packs a set with one payload of that many bytes, signed with the demo's key.
func randomSet(t *testing.T, arch string, size int) string {
	t.Helper()
	payload := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{9}).Read(payload)
	file := filepath.Join(t.TempDir(), "payload")
	kit.Must(t, os.WriteFile(file, payload, 0o600))
	return dataSet(t, arch, file)
}

// imageWith builds the demo's image with more files.
func imageWith(t *testing.T, m qemu.Machine, files map[string]string) string {
	t.Helper()
	spec, err := top().place(m.Arch).spec(m.Kernel)
	kit.Must(t, err)
	spec.Files = files
	path := filepath.Join(t.TempDir(), "initramfs")
	_, err = image.WriteFile(path, spec)
	kit.Must(t, err)
	return path
}
