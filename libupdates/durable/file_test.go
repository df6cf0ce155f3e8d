package durable

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Whatever the pieces of a file, and with or without direct I/O, its bytes are those that were written, in order.
func TestWriteInAnyPieces(t *testing.T) {
	data := make([]byte, 3<<20)
	for i := range data {
		data[i] = byte(i ^ i>>9)
	}
	for name, pieces := range map[string][]int{
		"whole blocks":            {1 << 20, 1 << 20, 1 << 20},
		"a tail":                  {1 << 20, 1<<20 + 5},
		"a head":                  {7, 1 << 20, 1 << 20},
		"small, large":            {directBlock, 1 << 20, 100, directBlock - 100, 1 << 20},
		"out of line in memory":   {directBlock, 1 << 20, 1 << 20},
		"least, and one block on": {leastDirect, leastDirect + directBlock, leastDirect - directBlock},
		"nothing":                 {0, 1 << 20, 0},
	} {
		for _, indirect := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "file")
			opened, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			f := &osFile{f: opened, name: "file", indirect: indirect}
			if err := f.Allocate(2 << 20); err != nil {
				t.Fatal(err)
			}
			total := 0
			for _, n := range pieces {
				memory := make([]byte, n+1)
				from := 0
				if name == "out of line in memory" {
					from = 1
				}
				piece := memory[from : from+n]
				copy(piece, data[total:])
				if got, err := f.Write(piece); err != nil || got != n {
					t.Fatalf("%s: wrote %d of %d bytes: %v", name, got, n, err)
				}
				total += n
			}
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil || len(got) < total || !bytes.Equal(got[:total], data[:total]) {
				t.Errorf("%s, without direct I/O %v: the file holds other bytes; %v", name, indirect, err)
			}
		}
	}
}
