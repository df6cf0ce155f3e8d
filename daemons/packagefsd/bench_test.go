package packagefsd_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/packagefs"
	"nexus/daemons/vat/vattest"
)

// BenchmarkRead reads a payload of 64 MiB, by PackageFs and by a bare stream of calls that return as many bytes from
// memory, in turns, piece by piece. It reports the median of the ratios of their throughputs.
func BenchmarkRead(b *testing.B) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 4<<20)
	shelf := &shelf{bundles: map[string]files{"large": {payload: content}}}
	_, handed := handing(b, shelf)
	called := start(b)
	called.Provide("BundleMgr", shelf.client())
	bare := bundle.Blob(vattest.Link(b, capnp.Client(bundle.Blob_ServerToClient(blob(content)))))
	for _, c := range []struct {
		name string
		d    *vattest.Daemon
	}{{"file", handed}, {"calls", called}} {
		b.Run(c.name, func(b *testing.B) {
			fs := packagefs.PackageFs(c.d.Client("PackageFs", "operator"))
			b.SetBytes(int64(len(content)))
			var ratios []float64
			for b.Loop() {
				var floor, took time.Duration
				for at := 0; at < len(content); at += int(bundle.MaxReadBytes) {
					floor += timed(func() { readBare(b, bare, at) })
					took += timed(func() { readFile(b, fs, at) })
				}
				ratios = append(ratios, float64(floor)/float64(took))
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "x-bare")
		})
	}
}

func readBare(b *testing.B, bare bundle.Blob, at int) {
	answer, release := bare.Read(context.Background(), func(p bundle.Blob_read_Params) error {
		p.SetOffset(uint64(at))
		p.SetCount(bundle.MaxReadBytes)
		return nil
	})
	defer release()
	if _, err := answer.Struct(); err != nil {
		b.Fatal(err)
	}
}

func readFile(b *testing.B, fs packagefs.PackageFs, at int) {
	answer, release := fs.Read(context.Background(), func(p packagefs.PackageFs_read_Params) error {
		p.SetOffset(uint64(at))
		p.SetCount(bundle.MaxReadBytes)
		return p.SetPath("large/payload.elf")
	})
	defer release()
	if _, err := answer.Struct(); err != nil {
		b.Fatal(err)
	}
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}
