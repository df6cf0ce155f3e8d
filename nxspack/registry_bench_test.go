package nxspack_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"nexus/libupdates/updatestest"
	"nexus/nxspack"
	"nexus/oci"
	"nexus/oci/ocitest"
)

// BenchmarkPull compares a pull of 24 bundles with curl of their payloads, sha256sum and sync, in the same run.
func BenchmarkPull(b *testing.B) {
	r := ocitest.Start(b, ocitest.Debian, ocitest.Options{})
	b.Chdir(b.TempDir())
	key := updatestest.Key(1)
	payload := make([]byte, 43<<20)
	if _, err := rand.NewChaCha8([32]byte{1}).Read(payload); err != nil {
		b.Fatal(err)
	}
	var made []updatestest.Made
	var urls []string
	for i := range 24 {
		payload[0] = byte(i)
		bundle := updatestest.Bundle(fmt.Sprintf("b%02d", i), "1.0.0", nil, append([]byte(nil), payload...), key)
		urls = append(urls, fmt.Sprintf("http://%s/v2/demo/blobs/sha256:%s", r.Host, bundle.Entry.PayloadSHA256))
		made = append(made, bundle)
	}
	if err := os.WriteFile("set.nxs", updatestest.Archive(b, key, "1.0.0", made...), 0o600); err != nil {
		b.Fatal(err)
	}
	ref := "oci://" + r.Host + "/demo:1"
	run := func(args ...string) {
		if nxspack.RunPaced(oci.DefaultPace(), args, io.Discard, os.Stderr) != 0 {
			b.Fatalf("cannot run %v", args)
		}
	}
	run("push", "set.nxs", ref)
	var ours, theirs time.Duration
	for b.Loop() {
		start := time.Now()
		run("pull", ref, "--output", "pulled.nxs", "--limit-archive", "16GiB")
		ours += time.Since(start)
		start = time.Now()
		curl(b, urls)
		theirs += time.Since(start)
	}
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "of-curl")
}

// curl fetches to one file, digests it and syncs it.
func curl(b *testing.B, urls []string) {
	b.Helper()
	out, err := exec.Command("sh", append([]string{"-c",
		`curl -fsS "$@" >curled && sha256sum curled >/dev/null && sync curled`, "sh"}, urls...)...).CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
}
