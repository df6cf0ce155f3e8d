package testscripts

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nexus/libupdates/updatestest"
	"nexus/oci/ocitest"
)

// The set of BenchmarkFetch: 1 GiB in 24 bundles.
const (
	fetchBundles = 24
	fetchPayload = 43 << 20
)

// A pushedSet is a set in a registry, for BenchmarkFetch.
type pushedSet struct {
	reference string
	blobs     []string // addresses of its payloads
}

// fetchSet pushes such a set. The payload of one bundle is another one in each version.
func fetchSet(b *testing.B, host, version string) (set pushedSet, payloads [][]byte) {
	b.Helper()
	key := updatestest.Key(1)
	set.reference = fmt.Sprintf("oci://%s/bench:%s", host, version)
	made, payloads := oneChanges(fetchBundles, fetchPayload, version)
	for i, m := range made {
		made[i] = m.Blocks() // as nxs-pack makes them
		set.blobs = append(set.blobs, fmt.Sprintf("http://%s/v2/bench/blobs/sha256:%s", host, m.Entry.PayloadSHA256))
	}
	file := filepath.Join(b.TempDir(), "set.nxs")
	if err := os.WriteFile(file, updatestest.Archive(b, key, version, made...), 0o600); err != nil {
		b.Fatal(err)
	}
	defer os.Remove(file)
	shell(b, `"$0" push "$1" "$2"`, filepath.Join(shared.bin(), "nxs-pack"), file, set.reference)
	return set, payloads
}

// shell runs a script with arguments, and returns how long that took. What was written before does not count.
func shell(b *testing.B, script string, args ...string) time.Duration {
	b.Helper()
	if out, err := exec.Command("sync").CombinedOutput(); err != nil {
		b.Fatalf("sync: %v: %s", err, out)
	}
	start := time.Now()
	cmd := exec.Command("sh", append([]string{"-euc", script}, args...)...)
	cmd.Dir = b.TempDir()
	defer os.RemoveAll(cmd.Dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v: %s", script, err, out)
	}
	return time.Since(start)
}

// casyncStore serves the same payloads as chunks, and returns the script that fetches them.
func casyncStore(b *testing.B, payloads [][]byte) string {
	b.Helper()
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "all"), slices.Concat(payloads...), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("casync", "make", "--store=store.castr", "all.caibx", "all")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("casync: %v: %s", err, out)
	}
	if err := os.Remove(filepath.Join(dir, "all")); err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	b.Cleanup(server.Close)
	return fmt.Sprintf("casync extract --store=%s/store.castr %s/all.caibx out && sync out", server.URL, server.URL)
}

// A fetchRow is one way to fetch.
type fetchRow struct {
	name string
	run  func() time.Duration
}

// compareFetches runs the rows in turns, and reports each one's time in that of the first: the median of the rounds.
func compareFetches(b *testing.B, rows []fetchRow) {
	b.Helper()
	ratios, times := map[string][]float64{}, map[string][]float64{}
	for b.Loop() {
		var floor float64
		for i, row := range rows {
			took := row.run().Seconds()
			if i == 0 {
				floor = took
			}
			ratios[row.name] = append(ratios[row.name], took/floor)
			times[row.name] = append(times[row.name], took)
		}
	}
	for _, row := range rows {
		for _, all := range [][]float64{ratios[row.name], times[row.name]} {
			slices.Sort(all)
		}
		middle := len(ratios[row.name]) / 2
		b.ReportMetric(ratios[row.name][middle], row.name)
		b.Logf("%-24s %6.2f s %6.2f (%.2f to %.2f)", row.name, times[row.name][middle], ratios[row.name][middle],
			ratios[row.name][0], ratios[row.name][len(ratios[row.name])-1])
	}
}

// A fetchBench is a system, and two sets in a registry, of which one bundle differs.
type fetchBench struct {
	b             *testing.B
	dir           string
	first, second pushedSet
	payloads      [][]byte // of the first set
	staged        bool
}

// newFetchBench starts registry and system. The system ends with the benchmark.
func newFetchBench(b *testing.B) *fetchBench {
	registry := ocitest.Start(b, ocitest.Debian, ocitest.Options{})
	f := &fetchBench{b: b, dir: filepath.Join(b.TempDir(), "sys")}
	f.first, f.payloads = fetchSet(b, registry.Host, "3.0.0")
	f.second, _ = fetchSet(b, registry.Host, "3.1.0")
	b.Cleanup(up(b, f.dir, "--hang", "5m", "--limit-archive", "2GiB",
		"--trust", "hex-public:"+updatestest.Key(1).Public().String(), "--factory", setFile(oldVersion)))
	return f
}

// nx runs nx for the system.
func (f *fetchBench) nx(args ...string) time.Duration {
	return shell(f.b, `exec "$0" --dir "$@"`, append([]string{filepath.Join(shared.bin(), "nx"), f.dir}, args...)...)
}

// stage has the system fetch a set, of which it has nothing.
func (f *fetchBench) stage() time.Duration {
	if f.staged {
		f.nx("discard", "3.0.0") // without the version the place would be kept for operators
	}
	f.staged = true
	return f.nx("stage", f.first.reference)
}

// update has the system fetch the set of the two that it does not hold.
func (f *fetchBench) update() time.Duration {
	f.first, f.second = f.second, f.first
	return f.nx("stage", f.first.reference)
}

// curl fetches blobs, and has more done with them.
func (f *fetchBench) curl(blobs []string, more string) func() time.Duration {
	return func() time.Duration {
		return shell(f.b, `curl -fsS "$@" >out`+more+` && sync out`, append([]string{"sh"}, blobs...)...)
	}
}

// digested has what was fetched digested.
const digested = " && sha256sum out >/dev/null"

// peers fetch the first set with other tools.
func (f *fetchBench) peers() []fetchRow {
	reference := strings.TrimPrefix(f.first.reference, "oci://")
	rows := []fetchRow{{"skopeo-copy+sync", func() time.Duration {
		return shell(f.b, `skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$0" dir:out && sync out/*`,
			reference)
	}}}
	if _, err := exec.LookPath("casync"); err != nil {
		f.b.Logf("without casync: %v", err)
		return rows
	}
	fetch := casyncStore(f.b, f.payloads)
	return append(rows, fetchRow{"casync-extract+sync", func() time.Duration { return shell(f.b, fetch) }})
}

// BenchmarkFetch compares fetches of a device with those of other tools, from one registry: a first download, also with
// further tools, and an update in which one bundle of 24 has changed.
func BenchmarkFetch(b *testing.B) {
	f := newFetchBench(b)
	start := peak(b, os.Getpid(), "fetchd")
	first := []fetchRow{
		{"curl+sync", f.curl(f.first.blobs, "")},
		{"curl+sha256sum+sync", f.curl(f.first.blobs, digested)},
		{"nx-stage", f.stage},
	}
	b.Run("first", func(b *testing.B) {
		compareFetches(b, first)
		b.ReportMetric(float64(peak(b, os.Getpid(), "fetchd")-start)/(1<<20), "MiB-fetchd")
	})
	b.Run("peers", func(b *testing.B) { compareFetches(b, append(first, f.peers()...)) })
	b.Run("update", func(b *testing.B) {
		compareFetches(b, []fetchRow{
			{"curl+sha256sum+sync", f.curl(f.second.blobs[7:8], digested)},
			{"nx-stage", f.update},
		})
	})
}
