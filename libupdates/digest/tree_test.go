package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// verityVectors are what `fsverity digest` of Debian (fsverity 1.5) prints for the bytes of newSource(1, size). The
// sizes are around a block, a span, a part, and the next level of the tree.
func verityVectors() map[int]string {
	return map[int]string{
		0:                      "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95",
		1:                      "45ebab4d2e1bbd4a2938b2359c8dacb3279a6a9c5c85f76ef2a188c5ea2204d7",
		BlockSize - 1:          "fa8c875146faaec5b7b327e621f18b43746acb410868695dd753fa419cd43c19",
		BlockSize:              "29e8035ec20b415e37cae6195a0a59cc998a25b90daeccac8d6c9871bff21494",
		BlockSize + 1:          "b074b822b7317efe165459c401cd445e585c985abe8e6ca9f99cfda56df198a0",
		2 * BlockSize:          "3b3c5f4131847b4c72d42628fe31353515894dd5f4df8bb2a4bf86384540fea5",
		span - 1:               "a6e4fe526ebcf0e7c297bca0a160f92137c01f157e15720a5832e0ed298192c2",
		span:                   "c79984b216a509bd9bf2b2b1439a8fec2c5280ecc9e83173225179c85fcaf9a1",
		span + 1:               "47421e43413df87e130fe67778fc6ad4cd3abf63c2c636a80e85786f82e6448d",
		span + BlockSize:       "318d2b66fdf0236c1e4e6952287ebf47682c317178fe47627379ea2fe3a5221e",
		3*span + 17:            "87f27a20b6f3dc507dbb3be4c8022af7696027fe09c12a236a8d7e61597a53f3",
		leavesPerSpan * span:   "1bf61d68b0bb95ba7411a183a8922352c1fd2a647fb14289e22c967e1b43b2b3",
		leavesPerSpan*span + 1: "fe12cfb95efe1cf9a159229ac61fd0067f6cffe54d4d46ba5d9888d30917bd84",
	}
}

func sumOfTree(data []byte, piece int) string {
	var t Tree
	for len(data) > 0 {
		n := min(piece, len(data))
		t.Write(data[:n])
		data = data[n:]
	}
	sum := t.Sum()
	return hex.EncodeToString(sum[:])
}

// In whatever pieces the bytes come, and whether they are hashed in order or in parts, the digest is that of fsverity.
func TestVerityDigest(t *testing.T) {
	for size, want := range verityVectors() {
		s := newSource(1, size)
		pieces := []int{size + 1, BlockSize, 1000, 3*BlockSize + 1, span + 512}
		if size > partSize {
			pieces = pieces[:1]
		}
		for _, piece := range pieces {
			if got := sumOfTree(s.data, piece); got != want {
				t.Errorf("%d bytes in pieces of %d: got %s, want %s", size, piece, got, want)
			}
		}
		for _, kinds := range []Kinds{Verity, Verity | SHA256} {
			var got Sums
			stream := s.stream(512, true)
			stream.Kinds, stream.Check = kinds, func(sums Sums) error { got = sums; return nil }
			if err := Run(t.Context(), []Stream{stream}); err != nil {
				t.Fatal(err)
			}
			if hex.EncodeToString(got.Verity[:]) != want {
				t.Errorf("%d bytes, kinds %d: got %x, want %s", size, kinds, got.Verity, want)
			}
			if both := kinds&SHA256 != 0; both != (got.SHA256 == sha256.Sum256(s.data)) {
				t.Errorf("%d bytes, kinds %d: the other digest is %x", size, kinds, got.SHA256)
			}
			if string(s.written) != string(s.data) {
				t.Errorf("%d bytes, kinds %d: other bytes were written", size, kinds)
			}
		}
	}
}

// The kernel's digest, as the tool of its developers computes it, is ours.
func TestVerityDigestByTheTool(t *testing.T) {
	if _, err := exec.LookPath("fsverity"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("fsverity is not installed")
	}
	for _, size := range sizes() {
		s := newSource(uint64(size), size)
		name := filepath.Join(t.TempDir(), "payload")
		if err := os.WriteFile(name, s.data, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "fsverity", "digest", "--compact", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := sumOfTree(s.data, maxPiece), strings.TrimSpace(string(out)); got != want {
			t.Errorf("%d bytes: got %s, want %s", size, got, want)
		}
	}
}

// Every way to hash blocks gives the digests of the standard library.
func TestLeafHashers(t *testing.T) {
	for _, blocks := range []int{0, 1, 2, 15, 16, 17, 40} {
		data := newSource(uint64(blocks), blocks*BlockSize).data
		want := hashEach(nil, data)
		for i, hash := range leafHashers() {
			if got := hash(nil, data); string(got) != string(want) {
				t.Errorf("way %d, %d blocks: got other digests", i, blocks)
			}
		}
	}
}

// Whatever the order in which the parts of streams are processed, Run returns the error of the first stream that fails,
// and checks no stream of which a part is missing.
func TestFirstErrorOfParts(t *testing.T) {
	const n, parts = 5, 3
	for first := range n {
		for part := range parts {
			var streams []Stream
			for i := range n {
				s := Stream{Size: parts*partSize - int64(i), Kinds: Verity,
					Read: func([]byte, int64) error { return nil }}
				broken := fmt.Errorf("stream %d is broken", i)
				s.Check = func(Sums) error { return fmt.Errorf("stream %d does not match", i) }
				if read := s.Read; i >= first {
					s.Read = func(p []byte, off int64) error {
						if off >= int64(part)*partSize {
							return broken
						}
						return read(p, off)
					}
				} else {
					s.Check = nil
				}
				streams = append(streams, s)
			}
			err := run(t.Context(), streams, serial{3})
			if want := fmt.Sprintf("stream %d is broken", first); err == nil || err.Error() != want {
				t.Fatalf("part %d: got %v, want %s", part, err, want)
			}
		}
	}
}

// A stream whose digest is refused ends the run with that refusal, however many parts it had.
func TestRefusedDigestOfParts(t *testing.T) {
	refused := errors.New("refused")
	s := newSource(1, 3*partSize+1).stream(0, false)
	checks := 0
	s.Kinds, s.Check = Verity, func(Sums) error { checks++; return refused }
	if err := Run(t.Context(), []Stream{s}); !errors.Is(err, refused) || checks != 1 {
		t.Errorf("got %v after %d checks", err, checks)
	}
}

func BenchmarkLeaves(b *testing.B) {
	data := newSource(1, 64*BlockSize).data
	for i, hash := range leafHashers() {
		b.Run([]string{"each", "lanes"}[i], func(b *testing.B) {
			to := make([]byte, 0, 64*sha256.Size)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				hash(to, data)
			}
		})
	}
}

// One stream: its SHA-256, its fs-verity digest, and both at once.
func BenchmarkOneStream(b *testing.B) {
	s := newSource(1, 256<<20)
	for name, kinds := range map[string]Kinds{"sha256": SHA256, "verity": Verity, "both": SHA256 | Verity} {
		b.Run(name, func(b *testing.B) {
			stream := s.stream(0, false)
			stream.Kinds = kinds
			b.SetBytes(int64(len(s.data)))
			for b.Loop() {
				if err := Run(b.Context(), []Stream{stream}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
