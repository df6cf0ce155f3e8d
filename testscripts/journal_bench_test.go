package testscripts

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/operator"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/selftest/demo"
)

// The benchmark's services write this much together. In a first phase they are quiet, in a second each writes to
// itself, and in a third into the journal.
const (
	writers     = 8
	written     = 20_000 // lines a second, by all
	phase       = 2 * time.Second
	settlePhase = 300 * time.Millisecond // at both ends of a phase nothing is measured
)

// writer is the program of each service.
const writer = `package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	reader, itself, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	go io.Copy(io.Discard, reader)
	to := []*bufio.Writer{nil, bufio.NewWriter(itself), bufio.NewWriter(os.Stdout)}
	for at := range time.Tick(10 * time.Millisecond) {
		if out := to[at.UnixMilli() / %d %% 3]; out != nil {
			for n := range %d {
				fmt.Fprintln(out, "request", n, "was answered in 12 ms, status 200")
			}
			out.Flush()
		}
	}
}
`

// BenchmarkCallsWhileServicesWrite calls keystored all the time, while eight services write 20,000 lines a second, and
// compares the 99th percentiles of the calls in the three phases.
func BenchmarkCallsWhileServicesWrite(b *testing.B) {
	dir := b.TempDir()
	b.Cleanup(up(b, filepath.Join(dir, "sys"), "--factory", writingSet(b, dir)))
	socket, err := plat.DialPath(filepath.Join(dir, "sys", "control.sock"))
	if err != nil {
		b.Fatal(err)
	}
	conn := vat.Connect(socket, capnp.Client{})
	defer conn.Close()
	root, err := conn.Bootstrap(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	answer, release := operator.Operator(root).Anchors(b.Context(), nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		b.Fatal(err)
	}
	keystored := res.Anchors()
	var took [3][]time.Duration // by phase
	for b.Loop() {
		start := time.Now()
		into := start.UnixMilli() % phase.Milliseconds()
		answer, release := keystored.List(context.Background(), nil)
		if _, err := answer.Struct(); err != nil {
			b.Fatal(err)
		}
		release()
		if settlePhase.Milliseconds() < into && into < (phase-settlePhase).Milliseconds() {
			now := start.UnixMilli() / phase.Milliseconds() % 3
			took[now] = append(took[now], time.Since(start))
		}
		time.Sleep(time.Millisecond)
	}
	quiet, itself, busy := percentile99(took[0]), percentile99(took[1]), percentile99(took[2])
	b.ReportMetric(float64(quiet.Microseconds()), "µs-p99-quiet")
	b.ReportMetric(float64(busy.Microseconds()), "µs-p99-writing")
	b.ReportMetric(float64(busy)/float64(max(quiet, 1)), "writing/quiet")
	b.ReportMetric(float64(busy)/float64(max(itself, 1)), "writing/itself")
	out, err := exec.Command(filepath.Join(shared.bin(), "nx"), "--dir", filepath.Join(dir, "sys"), "log",
		"--losses").CombinedOutput()
	b.Logf("%s%v", out, err)
}

func percentile99(d []time.Duration) time.Duration {
	slices.Sort(d)
	if len(d) == 0 {
		return 0
	}
	return d[len(d)*99/100]
}

// writingSet packs a set of the services.
func writingSet(b *testing.B, dir string) string {
	source, program := filepath.Join(dir, "writer.go"), filepath.Join(dir, "writer")
	text := fmt.Sprintf(writer, phase.Milliseconds(), written/writers/100)
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", program, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	p := demo.Packer{Bin: shared.bin(), Key: filepath.Join(shared.demo(), "keys", "demo")}
	bundles, set := filepath.Join(dir, "bundles"), filepath.Join(dir, "writers.nxs")
	for n := range writers {
		m := demo.Manifest{Name: fmt.Sprint("writer", n), Version: "1.0.0", Abilities: demo.Plain}
		if err := p.Bundle(m, program, bundles); err != nil {
			b.Fatal(err)
		}
	}
	if err := p.Set(bundles, "1.0.0", set); err != nil {
		b.Fatal(err)
	}
	return set
}
