package powercut

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"

	"nexus/libupdates/statedisk"
)

// An image is the content of a disk after a cut.
type image []byte

// apply applies writes to the image.
func (d image) apply(writes ...write) {
	for _, w := range writes {
		copy(d[w.offset:], w.data)
	}
}

// A tracked image can be compared with others without reading it all: sum is the sum of a hash of each block that was
// ever written.
type tracked struct {
	raw image
	sum uint64
}

func (d *tracked) clone() *tracked { return &tracked{bytes.Clone(d.raw), d.sum} }

func (d *tracked) apply(writes ...write) {
	for _, w := range writes {
		first, behind := w.offset/statedisk.BlockSize,
			(w.offset+int64(len(w.data))+statedisk.BlockSize-1)/statedisk.BlockSize
		for block := first; block < behind; block++ {
			d.sum -= d.hash(block)
		}
		d.raw.apply(w)
		for block := first; block < behind; block++ {
			d.sum += d.hash(block)
		}
	}
}

func (d *tracked) hash(block int64) uint64 {
	h := fnv.New64a()
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(block)))
	h.Write(d.raw[block*statedisk.BlockSize:][:statedisk.BlockSize])
	return h.Sum64()
}

// barriersOf returns the numbers of requests at which a disk guarantees that everything earlier is durable: after each
// flush, and at the beginning.
func barriersOf(writes []write) []int {
	after := []int{0}
	for i, w := range writes {
		if w.flush {
			after = append(after, i+1)
		}
	}
	return after
}

// survivors chooses which of some writes are on a disk that lost its cache: each is there or not, and of the last one
// possibly only the first blocks. The writes stay in order. A block is never torn: ext4 requires that for the one with
// its superblock.
func survivors(r *rand.Rand, unflushed []write) []write {
	var kept []write
	share := r.IntN(101)
	for _, w := range unflushed {
		if len(w.data) > 0 && r.IntN(100) < share {
			kept = append(kept, w)
		}
	}
	if n := len(kept); n > 0 && r.IntN(2) == 0 {
		torn := kept[n-1]
		torn.data = torn.data[:r.IntN(len(torn.data)/statedisk.BlockSize+1)*statedisk.BlockSize]
		kept[n-1] = torn
	}
	return kept
}

// store writes an image to a sparse file.
func (d image) store(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	const chunk = 64 << 10
	zeros := make([]byte, chunk)
	for at := 0; at < len(d) && err == nil; at += chunk {
		if part := d[at:min(at+chunk, len(d))]; !bytes.Equal(part, zeros[:len(part)]) {
			_, err = f.WriteAt(part, int64(at))
		}
	}
	return errors.Join(err, f.Truncate(int64(len(d))), f.Close())
}

// ReadAt implements io.ReaderAt.
func (d image) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 || offset > int64(len(d)) {
		return 0, io.EOF
	}
	n := copy(p, d[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
