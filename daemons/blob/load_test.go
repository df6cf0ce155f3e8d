package blob_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"nexus/daemons/blob"
	"nexus/daemons/plat"
	"nexus/libupdates/digest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/tree"
)

// payload is a program of this machine, as far as its header goes.
func payload(size int) []byte {
	program := make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(program)
	copy(program, elf.ELFMAG)
	program[elf.EI_CLASS], program[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	binary.LittleEndian.PutUint16(program[16:], uint16(elf.ET_DYN))
	binary.LittleEndian.PutUint16(program[18:], uint16(plat.Machine()))
	return program
}

// entries are what an index may say of a payload: with the digest of its blocks, or without.
func entries(program []byte) map[string]nxs.Entry {
	plain := nxs.Entry{Name: "hello", PayloadSHA256: nxs.Sum(program), PayloadSize: int64(len(program))}
	blocks := plain
	var tree digest.Tree
	tree.Write(program)
	blocks.PayloadVerity = tree.Sum()
	return map[string]nxs.Entry{"sha256": plain, "blocks": blocks}
}

// A swapper reads a file whose content somebody changes right before or right after one of the reads.
type swapper struct {
	file  *os.File
	at    int64 // the number of the read
	after bool
	reads atomic.Int64
	swap  func()
}

func (s *swapper) ReadAt(p []byte, off int64) (int, error) {
	mine := s.reads.Add(1) == s.at
	if mine && !s.after {
		s.swap()
	}
	n, err := s.file.ReadAt(p, off)
	if mine && s.after {
		s.swap()
	}
	return n, err
}

// everySwap has a file read whose content somebody changes right before or right after one of the reads, once for each
// of them and in each way. use returns whether it took what it read; both must happen.
func everySwap(t *testing.T, content []byte, use func(blob.ReadFunc) bool) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "payload.elf")
	for how, swap := range map[string]func() error{
		"overwritten": func() error { return overwrite(name, make([]byte, len(content))) },
		"one bit":     func() error { return overwriteAt(name, int64(len(content))/2, []byte{content[len(content)/2] ^ 1}) },
		"cut":         func() error { return os.Truncate(name, 100) },
	} {
		took, refused := 0, 0
		for at := int64(1); ; at++ {
			if err := os.WriteFile(name, content, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, name)
			s.at, s.after = (at+1)/2, at%2 == 0
			s.swap = func() {
				if err := swap(); err != nil {
					t.Error(err)
				}
			}
			if use(blob.FromFile(s)) {
				took++
			} else {
				refused++
			}
			if s.reads.Load() < s.at {
				break
			}
		}
		if took == 0 || refused == 0 {
			t.Errorf("%s: taken %d times, refused %d times", how, took, refused)
		}
	}
}

// Whenever the file of a payload is changed, and however, what is loaded is what was signed, or nothing is.
func TestWhatIsLoadedIsWhatWasSigned(t *testing.T) {
	program := payload(1<<20 + 100) // in five reads
	for kind, entry := range entries(program) {
		t.Run(kind, func(t *testing.T) {
			everySwap(t, program, func(read blob.ReadFunc) bool {
				memory, err := blob.Load(t.Context(), entry, read)
				if err == nil {
					wantBytes(t, memory, program)
				}
				return err == nil
			})
		})
	}
}

// Whenever the file of a data bundle is changed, and however, what is unpacked is what was signed, or it is refused.
func TestWhatIsUnpackedIsWhatWasSigned(t *testing.T) {
	page := bytes.Repeat([]byte("page "), 500<<10)
	packed := packedTree(t, page)
	for kind, entry := range entries(packed) {
		t.Run(kind, func(t *testing.T) {
			everySwap(t, packed, func(read blob.ReadFunc) bool {
				into, err := os.OpenRoot(t.TempDir())
				if err != nil {
					t.Fatal(err)
				}
				defer into.Close()
				if blob.Unpack(t.Context(), entry, read, into) != nil {
					return false
				}
				if got, err := into.ReadFile("page"); err != nil || !bytes.Equal(got, page) {
					t.Errorf("%d bytes were unpacked that were not signed, %v", len(got), err)
				}
				return true
			})
		})
	}
}

// packedTree is a tree of one page.
func packedTree(t *testing.T, page []byte) []byte {
	t.Helper()
	from, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	var packed bytes.Buffer
	if err := errors.Join(from.WriteFile("page", page, 0o600), tree.Pack(&packed, from)); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func open(t *testing.T, name string) *swapper {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &swapper{file: f}
}

func overwrite(name string, with []byte) error { return overwriteAt(name, 0, with) }

func overwriteAt(name string, off int64, with []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(with, off)
	return errors.Join(err, f.Close())
}

// wantBytes checks and closes what was loaded.
func wantBytes(t *testing.T, memory *os.File, want []byte) {
	t.Helper()
	defer memory.Close()
	got, err := io.ReadAll(io.NewSectionReader(memory, 0, int64(len(want))+1))
	if err != nil || string(got) != string(want) {
		t.Errorf("%d bytes were loaded that were not signed, %v", len(got), err)
	}
	if _, err := memory.WriteAt([]byte("x"), 0); err == nil {
		t.Error("what was loaded can be changed")
	}
}

// A payload of which one of the digests is another's is refused as such; so is one that is not a program.
func TestLoadRefuses(t *testing.T) {
	program := payload(5000)
	for kind, entry := range entries(program) {
		other := append([]byte{}, program...)
		other[len(other)-1] ^= 1
		memory, err := blob.Load(t.Context(), entry, blob.FromFile(bytes.NewReader(other)))
		if memory != nil || refusal.Of(err) != refusal.DigestMismatch {
			t.Errorf("%s: got %v", kind, err)
		}
	}
	longer := append(program[:len(program):len(program)], 'x')
	for kind, entry := range entries(program) {
		if memory, err := blob.Load(t.Context(), entry, blob.FromFile(bytes.NewReader(longer))); memory != nil {
			t.Errorf("%s: a longer payload was loaded, %v", kind, err)
		}
	}
	text := make([]byte, 5000)
	for kind, entry := range entries(text) {
		memory, err := blob.Load(t.Context(), entry, blob.FromFile(bytes.NewReader(text)))
		if memory != nil || refusal.Of(err) != refusal.WrongArchitecture {
			t.Errorf("%s: got %v", kind, err)
		}
	}
}

// What is unpacked is what was signed, or it is refused, for the reason that counts: bytes that nobody signed are not
// blamed for their form.
func TestUnpack(t *testing.T) {
	page := bytes.Repeat([]byte("page "), 300<<10)
	whole := packedTree(t, page)
	noTree := payload(5000)
	changed := func(at int) []byte {
		other := bytes.Clone(whole)
		other[at] ^= 1
		return other
	}
	for name, c := range map[string]struct {
		signed, read []byte
		want         refusal.Reason
	}{
		"as signed":           {whole, whole, ""},
		"another header":      {whole, changed(10), refusal.DigestMismatch},
		"another content":     {whole, changed(len(whole) / 2), refusal.DigestMismatch},
		"another end":         {whole, changed(len(whole) - 1), refusal.DigestMismatch},
		"signed, but no tree": {noTree, noTree, refusal.BadTree},
		"neither":             {whole, append(noTree, make([]byte, len(whole))...)[:len(whole)], refusal.DigestMismatch},
		"longer":              {whole, append(bytes.Clone(whole), 0), refusal.IO},
		"shorter":             {whole, whole[:len(whole)-1], refusal.IO},
	} {
		for kind, entry := range entries(c.signed) {
			into, err := os.OpenRoot(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			err = blob.Unpack(t.Context(), entry, blob.FromFile(bytes.NewReader(c.read)), into)
			got, _ := into.ReadFile("page")
			into.Close()
			if refusal.Of(err) != c.want || c.want == "" && !bytes.Equal(got, page) {
				t.Errorf("%s, %s: got %v, want %q", name, kind, err, c.want)
			}
		}
	}
}

// A fakeVerity says by which digest it verifies a file.
type fakeVerity struct {
	sum [32]byte
	err error
}

func (fakeVerity) Enable(*os.File) error { return syscall.EOPNOTSUPP }

func (v fakeVerity) Measure(*os.File) ([32]byte, error) { return v.sum, v.err }

// The file of a payload is run as it is only if the kernel verifies it against the signed digest. One that it verifies
// against another digest is refused, and so is one that is not a program; any other has to be loaded.
func TestKept(t *testing.T) {
	program := payload(5000)
	blocks := entries(program)["blocks"]
	text := entries(make([]byte, 5000))["blocks"]
	for _, c := range []struct {
		name   string
		entry  nxs.Entry
		verity fakeVerity
		kept   bool
		reason refusal.Reason
	}{
		{"the signed digest", blocks, fakeVerity{sum: blocks.PayloadVerity}, true, ""},
		{"another digest", blocks, fakeVerity{sum: [32]byte{1}}, false, refusal.Damaged},
		{"a digest of another kind", blocks, fakeVerity{}, false, refusal.Damaged},
		{"not enabled", blocks, fakeVerity{err: syscall.ENODATA}, false, ""},
		{"no fs-verity", blocks, fakeVerity{err: syscall.ENOTTY}, false, ""},
		{"an ext4 without it", blocks, fakeVerity{err: syscall.EOPNOTSUPP}, false, ""},
		{"a disk that fails", blocks, fakeVerity{err: syscall.EIO}, false, refusal.IO},
		{"no digest in the index", entries(program)["sha256"], fakeVerity{}, false, ""},
		{"not a program", text, fakeVerity{sum: text.PayloadVerity}, false, refusal.WrongArchitecture},
	} {
		name := filepath.Join(t.TempDir(), "payload.elf")
		held := program
		if c.entry.PayloadVerity == text.PayloadVerity {
			held = make([]byte, 5000)
		}
		if err := os.WriteFile(name, held, 0o755); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if !plat.OnDisk(file) {
			t.Skip("the folder for temporary files is mounted noexec")
		}
		kept, err := blob.Kept(c.entry, c.verity, file)
		file.Close()
		if (kept != nil) != c.kept || refusal.Of(err) != c.reason {
			t.Errorf("%s: kept %t, %v", c.name, kept != nil, err)
		}
		if kept != nil {
			if got, err := io.ReadAll(kept); err != nil || string(got) != string(program) {
				t.Errorf("%s: %d bytes, %v", c.name, len(got), err)
			}
			kept.Close()
		}
	}
	sealed, err := blob.Load(t.Context(), blocks, blob.FromFile(bytes.NewReader(program)))
	if err != nil {
		t.Fatal(err)
	}
	defer sealed.Close()
	if plat.OnDisk(sealed) {
		t.Error("sealed memory counts as a file on a disk")
	}
}
