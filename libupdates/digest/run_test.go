package digest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"
)

// hashers returns all hashers: no digest may depend on the choice.
func hashers() map[string]func() hasher {
	all := map[string]func() hasher{
		"serial":           func() hasher { return serial{2} },
		"serial, one core": func() hasher { return serial{1} },
		"lanes":            func() hasher { return lanes{2, 3} },
		"lanes, all":       func() hasher { return lanes{1, 1} },
		"lanes, too few":   func() hasher { return lanes{3, 9} },
	}
	if !hasLanes() {
		maps.DeleteFunc(all, func(name string, _ func() hasher) bool { return strings.HasPrefix(name, "lanes") })
	}
	return all
}

// A source is a payload in memory that counts its uses.
type source struct {
	data    []byte
	written []byte
	sum     Sum
	checked int
}

func newSource(seed uint64, size int) *source {
	s := &source{data: make([]byte, size), written: make([]byte, size)}
	noise := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	noise.Read(s.data)
	return s
}

func (s *source) stream(offset int64, writes bool) Stream {
	stream := Stream{
		Size:   int64(len(s.data)),
		Offset: offset,
		Read:   func(p []byte, off int64) error { copy(p, s.data[off:]); return nil },
		Kinds:  SHA256,
		Check:  func(sums Sums) error { s.sum = sums.SHA256; s.checked++; return nil },
	}
	if writes {
		stream.Write = func(p []byte, off int64) error { copy(s.written[off:], p); return nil }
	}
	return stream
}

// sizes are at and around the boundaries: blocks of the hash, of the disk, and of the buffers.
func sizes() []int {
	all := []int{0, 1, 55, 56, 63, 64, 65, 4095, 4096, 4097, minPiece - 1, minPiece, minPiece + 1, maxPiece + 4097}
	for n := 100; n < 3_000_000; n = n*3 + 17 {
		all = append(all, n)
	}
	return all
}

func TestDigestsAndCopies(t *testing.T) {
	for name, hasher := range hashers() {
		for _, n := range []int{0, 1, 2, 5, 16, 17, 40, 70} {
			t.Run(fmt.Sprintf("%s/%d", name, n), func(t *testing.T) {
				var streams []Stream
				var sources []*source
				for i := range n {
					s := newSource(uint64(i), sizes()[(i*7+n)%len(sizes())])
					sources = append(sources, s)
					streams = append(streams, s.stream(int64(512*i+i%5), i%3 != 0))
				}
				if err := run(t.Context(), streams, hasher()); err != nil {
					t.Fatal(err)
				}
				for i, s := range sources {
					if s.sum != sha256.Sum256(s.data) || s.checked != 1 {
						t.Errorf("stream %d of %d bytes: got %x, checked %d times", i, len(s.data), s.sum, s.checked)
					}
					if i%3 != 0 && !bytes.Equal(s.written, s.data) {
						t.Errorf("stream %d of %d bytes: other bytes were written", i, len(s.data))
					}
				}
			})
		}
	}
}

// Whatever the order in which goroutines run, Run returns the error of the first stream that fails.
func TestFirstErrorInOrder(t *testing.T) {
	at := func(i int, what string) error { return fmt.Errorf("stream %d: cannot %s", i, what) }
	const n = 40
	faults := map[string]func(s *Stream, i int){
		"read": func(s *Stream, i int) {
			read := s.Read
			s.Read = func(p []byte, off int64) error {
				if off+int64(len(p)) == s.Size {
					return at(i, "read")
				}
				return read(p, off)
			}
		},
		"write": func(s *Stream, i int) { s.Write = func([]byte, int64) error { return at(i, "write") } },
		"check": func(s *Stream, i int) { s.Check = func(Sums) error { return at(i, "check") } },
	}
	for name, hasher := range hashers() {
		for first, one := range faults {
			for second, other := range faults {
				for i := 0; i < n-1; i += 6 {
					var streams []Stream
					for k := range n {
						streams = append(streams, newSource(uint64(k), 1000+k*5000).stream(0, true))
					}
					one(&streams[i], i)
					for k := i + 1; k < n; k += 3 {
						other(&streams[k], k)
					}
					if err, want := run(t.Context(), streams, hasher()), at(i, first); err == nil ||
						err.Error() != want.Error() {
						t.Fatalf("%s, %s then %s: got %v, want %v", name, first, second, err, want)
					}
				}
			}
		}
	}
}

// After an error no goroutine of the call is left, and Check was called for complete streams only.
func TestNothingGoesOnAfterAnError(t *testing.T) {
	broken := errors.New("broken")
	for name, hasher := range hashers() {
		var over atomic.Bool
		var streams []Stream
		for i := range 30 {
			s := newSource(uint64(i), 3*maxPiece).stream(0, true)
			read, write := s.Read, s.Write
			s.Read = func(p []byte, off int64) error {
				if over.Load() {
					t.Errorf("%s: stream %d is read after the end", name, i)
				}
				if i == 3 && off > 0 {
					return broken
				}
				return read(p, off)
			}
			s.Write = func(p []byte, off int64) error {
				if over.Load() {
					t.Errorf("%s: stream %d is written after the end", name, i)
				}
				return write(p, off)
			}
			check := s.Check
			s.Check = func(sums Sums) error {
				if i == 3 {
					t.Errorf("%s: a broken stream was checked", name)
				}
				return check(sums)
			}
			streams = append(streams, s)
		}
		err := run(t.Context(), streams, hasher())
		over.Store(true)
		if !errors.Is(err, broken) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestEndsWithTheContext(t *testing.T) {
	stop := errors.New("stop")
	for name, hasher := range hashers() {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		var streams []Stream
		for i := range 30 {
			s := newSource(uint64(i), 100).stream(0, false)
			s.Size = 1 << 40
			s.Read = func(_ []byte, off int64) error {
				if off > 5*maxPiece {
					cancel(stop)
				}
				return nil
			}
			streams = append(streams, s)
		}
		if err := run(ctx, streams, hasher()); !errors.Is(err, stop) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Direct I/O requires offset, length and memory to be multiples of the block, except at the ends of a stream.
func TestPiecesAreAligned(t *testing.T) {
	for offset := int64(0); offset < 3*BlockSize; offset += 512 {
		s := newSource(1, 3*maxPiece+700)
		stream := s.stream(offset, true)
		stream.Write = func(p []byte, off int64) error {
			at := offset + off
			if memory := int64(uintptr(unsafe.Pointer(&p[0]))); (memory-at)%BlockSize != 0 {
				t.Errorf("offset %d: at %d the bytes are at %d", offset, at, memory)
			}
			if end := at + int64(len(p)); end%BlockSize != 0 && off+int64(len(p)) != stream.Size {
				t.Errorf("offset %d: a piece ends at %d", offset, end)
			}
			return nil
		}
		if err := Run(t.Context(), []Stream{stream}); err != nil {
			t.Fatal(err)
		}
	}
}

// The buffers fit into Memory, whatever the number of streams in flight.
func TestMemoryIsBounded(t *testing.T) {
	for n := 1; n <= maxStreams; n++ {
		r := newRing(n, 1<<40, true)
		if got := int64(n*cap(r.free)) * (r.size + BlockSize); got > Memory {
			t.Fatalf("%d streams take %d bytes", n, got)
		}
	}
	for _, cores := range []int{1, 2, 8, 1000} {
		if got := chooseHasher(1000, cores).streams(); got > maxStreams {
			t.Errorf("on %d cores there are %d streams in flight", cores, got)
		}
	}
}

// TestRunKeepsNoBuffers has the buffers of a Run back with the operating system when it returns.
func TestRunKeepsNoBuffers(t *testing.T) {
	var streams []Stream
	for i := range uint64(8) {
		streams = append(streams, newSource(i, 1<<20).stream(0, true))
	}
	debug.FreeOSMemory()
	before := resident()
	if err := run(t.Context(), streams, serial{4}); err != nil {
		t.Fatal(err)
	}
	if more := resident() - before; more > 8<<20 { // of 16
		t.Errorf("%d bytes more than before", more)
	}
	runtime.KeepAlive(streams)
}

// resident is the size of the heap that the operating system has not got back.
func resident() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapSys) - int64(m.HeapReleased)
}
