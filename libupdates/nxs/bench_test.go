package nxs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/updatestest"
)

// BenchmarkVerify reads a set of 24 payloads of 8 MiB, as a stream and as a file, by each digest.
func BenchmarkVerify(b *testing.B) {
	b.Run("sha256", func(b *testing.B) { benchmarkVerify(b, func(m updatestest.Made) updatestest.Made { return m }) })
	b.Run("verity", func(b *testing.B) { benchmarkVerify(b, updatestest.Made.Blocks) })
}

func benchmarkVerify(b *testing.B, change func(updatestest.Made) updatestest.Made) {
	const size = 8 << 20
	var made []updatestest.Made
	for i := range 24 {
		made = append(made, change(updatestest.Bundle(fmt.Sprintf("bundle%02d", i), "1.0.0", nil,
			bytes.Repeat([]byte{byte(i)}, size), updatestest.Key(1))))
	}
	raw := updatestest.Archive(b, updatestest.Key(1), "1.0.0", made...)
	name := filepath.Join(b.TempDir(), "set.nxs")
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	length := int64(len(raw))
	limits := nxs.Limits{Archive: nxs.MaxPolicy, Payload: nxs.MaxPolicy}
	b.Run("stream", func(b *testing.B) {
		b.SetBytes(length)
		for b.Loop() {
			if _, err := f.Seek(0, 0); err != nil {
				b.Fatal(err)
			}
			r := nxs.NewReader(f, length, limits, verify)
			_, err := r.Open()
			for err == nil {
				_, err = r.Next()
			}
			if err.Error() != "EOF" {
				b.Fatal(err)
			}
		}
	})
	b.Run("file", func(b *testing.B) {
		b.SetBytes(length)
		for b.Loop() {
			if _, _, err := nxs.VerifyFile(b.Context(), f, length, limits, verify); err != nil {
				b.Fatal(err)
			}
		}
	})
}
