package nxspack_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/updatestest"
	"nexus/oci/ocitest"
)

// setFile writes a set of bundles with these payloads, by name.
func setFile(t *testing.T, name, version string, payloads map[string]string) []byte {
	t.Helper()
	key := updatestest.Key(1)
	var made []updatestest.Made
	for bundle, payload := range payloads {
		made = append(made, updatestest.Bundle(bundle, "1.0.0", nil, []byte(payload), key))
	}
	raw := updatestest.Archive(t, key, version, made...)
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return raw
}

// An outcome is what a run of nxs-pack with --json answered.
type outcome struct {
	Error, Reason  string
	ManifestSHA256 string
	Blobs, Pushed  int
	BytesPushed    int64
	BytesFetched   int64
	stderr         string
}

func packJSON(t *testing.T, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	set(append(args, "--json"), &stdout, &stderr)
	o := outcome{stderr: stderr.String()}
	if err := json.Unmarshal(stdout.Bytes(), &o); err != nil {
		t.Fatalf("%v: %v: %s%s", args, err, &stdout, &stderr)
	}
	return o
}

// succeed runs nxs-pack, which must not refuse.
func succeed(t *testing.T, args ...string) outcome {
	t.Helper()
	o := packJSON(t, args...)
	if o.Error != "" {
		t.Fatalf("%v: %s (%s)", args, o.Error, o.Reason)
	}
	return o
}

// refused runs nxs-pack, which must refuse for that reason.
func refused(t *testing.T, reason string, args ...string) outcome {
	t.Helper()
	o := packJSON(t, args...)
	if o.Reason != reason {
		t.Errorf("%v: got reason %q (%s), want %s", args, o.Reason, o.Error, reason)
	}
	return o
}

// sameFile checks that a file has these bytes.
func sameBytes(t *testing.T, name string, want []byte) {
	t.Helper()
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s does not have the bytes that it should have: %v", name, err)
	}
}

// Every registry takes a set, gives it back byte for byte, and moves only what the other side lacks.
func TestRegistries(t *testing.T) {
	for _, kind := range ocitest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			r := ocitest.Start(t, kind, ocitest.Options{})
			t.Chdir(t.TempDir())
			big := strings.Repeat("unchanged ", 1<<16)
			payloads := map[string]string{"alpha": big, "beta": "old", "empty": "", "twin": big}
			first := setFile(t, "1.nxs", "1.0.0", payloads)
			ref := "oci://" + r.Host + "/devices/demo"
			push := succeed(t, "push", "1.nxs", ref+":1")
			if push.Blobs != 10 || push.Pushed != 10 { // config, index, signature, 4 manifests, 3 different payloads
				t.Errorf("pushed %d of %d blobs, want 10 of 10", push.Pushed, push.Blobs)
			}
			again := succeed(t, "push", "1.nxs", ref+":again")
			if again.ManifestSHA256 != push.ManifestSHA256 || again.BytesPushed != 0 {
				t.Errorf("pushed again: %+v, at first %+v", again, push)
			}
			succeed(t, "push", "1.nxs", ref+":1")
			whole := succeed(t, "pull", ref+":1", "--output", "pulled.nxs")
			sameBytes(t, "pulled.nxs", first)

			payloads["beta"] = "new"
			second := setFile(t, "2.nxs", "2.0.0", payloads)
			push = succeed(t, "push", "2.nxs", ref+":2")
			if push.Pushed != 4 || push.BytesPushed > 1<<12 { // index, signature, manifest and payload of beta
				t.Errorf("pushed %d blobs of %d bytes for one bundle", push.Pushed, push.BytesPushed)
			}
			part := succeed(t, "pull", ref+":2", "--output", "pulled.nxs", "--have", "1.nxs",
				"--trust", updatestest.Key(1).Public().Text())
			sameBytes(t, "pulled.nxs", second)
			if part.BytesFetched > 1<<13 || whole.BytesFetched < int64(2*len(big)) {
				t.Errorf("fetched %d bytes for one bundle, %d for all", part.BytesFetched, whole.BytesFetched)
			}
			succeed(t, "pull", ref+"@sha256:"+push.ManifestSHA256, "--output", "pulled.nxs")
			sameBytes(t, "pulled.nxs", second)
			registryRefusals(t, ref, second)
		})
	}
}

// registryRefusals pulls what is refused. The file that is there stays.
func registryRefusals(t *testing.T, ref string, kept []byte) {
	t.Helper()
	refused(t, "untrusted-publisher", "pull", ref+":1", "--output", "pulled.nxs", "--trust",
		updatestest.Key(2).Public().Text())
	refused(t, "payload-too-large", "pull", ref+":1", "--output", "pulled.nxs", "--limit-payload", "1KiB")
	refused(t, "archive-too-large", "pull", ref+":1", "--output", "pulled.nxs", "--limit-archive", "1KiB")
	refused(t, "not-in-registry", "pull", ref+":none", "--output", "pulled.nxs")
	refused(t, "not-in-registry", "pull", ref+"/none:1", "--output", "pulled.nxs")
	refused(t, "not-in-registry", "pull", ref+"@sha256:"+strings.Repeat("0", 64), "--output", "pulled.nxs")
	refused(t, "bad-reference", "push", "1.nxs", ref+"@sha256:"+strings.Repeat("0", 64))
	sameBytes(t, "pulled.nxs", kept)
	leftovers(t)
}

// leftovers checks that no incomplete output is in the current folder.
func leftovers(t *testing.T) {
	t.Helper()
	if found, err := filepath.Glob(".nxs-pack-*"); err != nil || len(found) > 0 {
		t.Errorf("left over: %v, %v", found, err)
	}
}

// Roots and further signatures are blobs as well, and come back in their places.
func TestRegistryKeepsAmendments(t *testing.T) {
	r := ocitest.Start(t, ocitest.Distribution, ocitest.Options{})
	t.Chdir(t.TempDir())
	setFile(t, "1.nxs", "1.0.0", map[string]string{"alpha": "program"})
	succeed(t, "keygen", "--output", "second")
	succeed(t, "root", "init", "--family", "demo", "--issued", "2026-01-01", "--root-key", "second.pub", "--system-key",
		"second.pub", "--output", "1.nxroot")
	succeed(t, "root", "sign", "--key", "second", "1.nxroot")
	succeed(t, "amend", "--key", "second", "--roots", "1.nxroot", "--output", "2.nxs", "1.nxs")
	ref := "oci://" + r.Host + "/demo:1"
	succeed(t, "push", "2.nxs", ref)
	succeed(t, "pull", ref, "--output", "pulled.nxs")
	want, err := os.ReadFile("2.nxs")
	if err != nil {
		t.Fatal(err)
	}
	sameBytes(t, "pulled.nxs", want)
}

// A copy that another tool made, from a registry of OCI 1.0 to one of 1.1 and back, is the same set.
func TestSkopeoCopies(t *testing.T) {
	if _, err := exec.LookPath("skopeo"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("no skopeo: needs the package skopeo")
	}
	from := ocitest.Start(t, ocitest.Debian, ocitest.Options{})
	to := ocitest.Start(t, ocitest.Distribution, ocitest.Options{})
	t.Chdir(t.TempDir())
	raw := setFile(t, "1.nxs", "1.0.0", map[string]string{"alpha": "program", "beta": ""})
	push := succeed(t, "push", "1.nxs", "oci://"+from.Host+"/demo:1")
	for _, hop := range [][2]string{{from.Host + "/demo:1", to.Host + "/copy:1"}, {to.Host + "/copy:1", from.Host +
		"/back:1"}} {
		out, err := exec.Command("skopeo", "--insecure-policy", "copy", "--src-tls-verify=false",
			"--dest-tls-verify=false", "docker://"+hop[0], "docker://"+hop[1]).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		pull := succeed(t, "pull", "oci://"+hop[1], "--output", "pulled.nxs")
		sameBytes(t, "pulled.nxs", raw)
		if pull.ManifestSHA256 != push.ManifestSHA256 {
			t.Errorf("the manifest of %s changed", hop[1])
		}
	}
}

// A registry that asks who it speaks to, and has to show who it is.
func TestRegistryTLSAndCredentials(t *testing.T) {
	const password = "hunter2-and-more"
	for _, kind := range ocitest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			r := ocitest.Start(t, kind, ocitest.Options{TLS: true, User: "anna", Password: password})
			other := ocitest.Start(t, kind, ocitest.Options{TLS: true})
			t.Chdir(t.TempDir())
			raw := setFile(t, "1.nxs", "1.0.0", map[string]string{"alpha": "program"})
			ref := "oci://" + r.Host + "/demo:1"
			right, wrong := credentials(t, r.Host, "anna", password), credentials(t, r.Host, "anna", password+"x")
			succeed(t, "push", "1.nxs", ref, "--ca", r.CA, "--credentials", right)
			succeed(t, "pull", ref, "--output", "pulled.nxs", "--ca", r.CA, "--credentials", right)
			sameBytes(t, "pulled.nxs", raw)
			for _, denied := range []outcome{
				refused(t, "registry-denied", "pull", ref, "--output", "no.nxs", "--ca", r.CA),
				refused(t, "registry-denied", "push", "1.nxs", ref, "--ca", r.CA),
				refused(t, "registry-denied", "pull", ref, "--output", "no.nxs", "--ca", r.CA, "--credentials", wrong),
				refused(t, "untrusted-registry", "pull", ref, "--output", "no.nxs", "--ca", other.CA, "--credentials",
					right),
				refused(t, "registry-denied", "pull", ref, "--output", "no.nxs", "--ca", r.CA, "--credentials",
					credentials(t, other.Host, "anna", password)),
			} {
				if strings.Contains(denied.Error+denied.stderr, password) {
					t.Errorf("the password is in %q", denied.Error)
				}
			}
			// Without --ca, a registry on this machine is spoken to without TLS, which it answers with 400.
			refused(t, "bad-registry", "pull", ref, "--output", "no.nxs")
			if _, err := os.Stat("no.nxs"); err == nil {
				t.Error("something was written")
			}
			leftovers(t)
		})
	}
}

// credentials writes a file in the format of Docker's config.json.
func credentials(t *testing.T, host, user, password string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config.json")
	text := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, host,
		base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Files that say how a registry is reached, and references, can be wrong.
func TestRegistryFlags(t *testing.T) {
	t.Chdir(t.TempDir())
	setFile(t, "1.nxs", "1.0.0", map[string]string{"alpha": "program"})
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte(`{"auths": "secret"`), 0o600); err != nil {
		t.Fatal(err)
	}
	const ref = "oci://127.0.0.1:9/demo:1"
	if o := refused(t, "bad-file", "pull", ref, "--output", "no.nxs", "--credentials", bad); strings.Contains(o.Error,
		"secret") {
		t.Errorf("it shows the file: %s", o.Error)
	}
	refused(t, "bad-file", "pull", ref, "--output", "no.nxs", "--ca", bad)
	refused(t, "io", "pull", ref, "--output", "no.nxs", "--ca", "none")
	refused(t, "io", "pull", ref, "--output", "no.nxs", "--credentials", "none")
	refused(t, "io", "pull", ref, "--output", "no.nxs", "--have", "none")
	refused(t, "io", "push", "none", ref)
	for _, wrong := range []string{"127.0.0.1/demo:1", "oci://demo", "oci://127.0.0.1/demo", "oci:///demo:1",
		"oci://user:word@127.0.0.1/demo:1", "oci://127.0.0.1/Demo:1", "oci://127.0.0.1/demo:",
		"oci://127.0.0.1/demo@sha256:0",
		"oci://127.0.0.1/demo@sha512:" + strings.Repeat("0", 128), "oci://127.0.0.1/../demo:1",
		"http://127.0.0.1/demo:1"} {
		if o := refused(t, "bad-reference", "pull", wrong, "--output", "no.nxs"); strings.Contains(o.Error, "word") {
			t.Errorf("it shows the password: %s", o.Error)
		}
	}
}

// What a registry has lost or damaged is noticed, and a push puts back what is lost.
func TestRegistryDamage(t *testing.T) {
	for _, kind := range ocitest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			r := ocitest.Start(t, kind, ocitest.Options{})
			t.Chdir(t.TempDir())
			raw := setFile(t, "1.nxs", "1.0.0", map[string]string{"alpha": "program"})
			ref := "oci://" + r.Host + "/demo:1"
			succeed(t, "push", "1.nxs", ref)
			for _, c := range []struct{ content, reason string }{
				{"program", "digest-mismatch"}, {string(raw[512 : 512+indexSize(t, raw)]), "digest-mismatch"},
			} {
				blob := blobFile(r, nxs.Sum([]byte(c.content)))
				damaged := []byte(c.content)
				damaged[len(damaged)-1] ^= 1
				overwrite(t, blob, damaged)
				refused(t, c.reason, "pull", ref, "--output", "no.nxs")
				overwrite(t, blob, []byte(c.content))
			}
			lost := blobFile(r, nxs.Sum([]byte("program")))
			if err := os.Remove(lost); err != nil {
				t.Fatal(err)
			}
			if o := packJSON(t, "pull", ref, "--output", "no.nxs"); o.Error == "" {
				t.Error("pulled a set without its payload")
			}
			if _, err := os.Stat("no.nxs"); err == nil {
				t.Error("something was written")
			}
			succeed(t, "push", "1.nxs", ref)
			succeed(t, "pull", ref, "--output", "pulled.nxs")
			sameBytes(t, "pulled.nxs", raw)
		})
	}
}

func indexSize(t *testing.T, raw []byte) int {
	t.Helper()
	var size int
	if _, err := fmt.Sscanf(string(raw[124:135]), "%o", &size); err != nil {
		t.Fatal(err)
	}
	return size
}

// blobFile is where a registry keeps a blob.
func blobFile(r *ocitest.Registry, digest nxs.Digest) string {
	hex := digest.String()
	return filepath.Join(r.Dir, "docker/registry/v2/blobs/sha256", hex[:2], hex, "data")
}

func overwrite(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Pulling a set of which one bundle changed moves little more than that bundle, headers and all.
func TestBytesOnTheWire(t *testing.T) {
	r := ocitest.Start(t, ocitest.Debian, ocitest.Options{})
	t.Chdir(t.TempDir())
	payloads := map[string]string{}
	for i := range 24 {
		payloads[fmt.Sprintf("bundle%d", i)] = fmt.Sprint("payload ", i)
	}
	setFile(t, "1.nxs", "1.0.0", payloads)
	changed := strings.Repeat("payload, but longer\n", 1<<18)
	payloads["bundle7"] = changed
	want := setFile(t, "2.nxs", "2.0.0", payloads)
	succeed(t, "push", "2.nxs", "oci://"+r.Host+"/demo:2")
	host, moved := counted(t, r.Host)
	succeed(t, "pull", "oci://"+host+"/demo:2", "--have", "1.nxs", "--output", "pulled.nxs")
	sameBytes(t, "pulled.nxs", want)
	if ratio := float64(moved.Load()) / float64(len(changed)); ratio > 1.02 {
		t.Errorf("%d bytes moved for a bundle of %d: %.3f", moved.Load(), len(changed), ratio)
	}
	t.Logf("%d bytes moved for a bundle of %d", moved.Load(), len(changed))
}

// counted forwards connections to a host and counts the bytes in both directions.
func counted(t *testing.T, to string) (host string, moved *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	moved = new(atomic.Int64)
	pass := func(w, r net.Conn) {
		defer w.Close()
		_, _ = io.Copy(io.MultiWriter(w, (*counter)(moved)), r)
	}
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			go pass(near, far)
			go pass(far, near)
		}
	}()
	return l.Addr().String(), moved
}

type counter atomic.Int64

func (c *counter) Write(p []byte) (int, error) {
	(*atomic.Int64)(c).Add(int64(len(p)))
	return len(p), nil
}
