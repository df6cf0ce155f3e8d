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

// BenchmarkPull compares pulls with curl of the same payloads, sha256sum and sync, in the same run: of a set of 24
// bundles, and of one that has another in common with it except for a bundle.
func BenchmarkPull(b *testing.B) {
	r := ocitest.Start(b, ocitest.Debian, ocitest.Options{})
	b.Chdir(b.TempDir())
	key := updatestest.Key(1)
	payload := make([]byte, 43<<20)
	if _, err := rand.NewChaCha8([32]byte{1}).Read(payload); err != nil {
		b.Fatal(err)
	}
	write := func(name string, first byte) (urls []string) {
		var made []updatestest.Made
		for i := range 24 {
			payload[0] = byte(i)
			if i == 7 {
				payload[0] = first
			}
			bundle := updatestest.Bundle(fmt.Sprintf("b%02d", i), "1.0.0", nil, append([]byte(nil), payload...), key)
			urls = append(urls, fmt.Sprintf("http://%s/v2/demo/blobs/sha256:%s", r.Host, bundle.Entry.PayloadSHA256))
			made = append(made, bundle)
		}
		if err := os.WriteFile(name, updatestest.Archive(b, key, "1.0.0", made...), 0o600); err != nil {
			b.Fatal(err)
		}
		return urls
	}
	run := func(args ...string) {
		if nxspack.RunPaced(oci.DefaultPace(), args, io.Discard, os.Stderr) != 0 {
			b.Fatalf("cannot run %v", args)
		}
	}
	write("old.nxs", 100)
	urls := write("new.nxs", 101)
	ref := "oci://" + r.Host + "/demo:1"
	run("push", "new.nxs", ref)
	pull := []string{"pull", ref, "--output", "pulled.nxs", "--limit-archive", "16GiB"}
	for name, c := range map[string]struct {
		args []string
		urls []string
	}{
		"whole": {pull, urls}, "one-of-24": {append(pull, "--have", "old.nxs"), urls[7:8]},
	} {
		b.Run(name, func(b *testing.B) {
			var ours, theirs time.Duration
			for b.Loop() {
				start := time.Now()
				run(c.args...)
				ours += time.Since(start)
				start = time.Now()
				curl(b, c.urls)
				theirs += time.Since(start)
			}
			b.ReportMetric(ours.Seconds()/theirs.Seconds(), "of-curl")
		})
	}
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
