package slots_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/updatestest"
)

// bigArchive has payloads of several pieces.
func bigArchive(t testing.TB) []byte {
	key := updatestest.Key(1)
	return updatestest.Archive(t, key, "2.0.0",
		updatestest.Bundle("a", "2.0.0", nil, bytes.Repeat([]byte("a"), 3<<20+100), key),
		updatestest.Bundle("b", "2.0.0", nil, bytes.Repeat([]byte("b"), 2<<20), key))
}

// A meddler is a file that is changed after a number of payload bytes have been read.
type meddler struct {
	*os.File
	after int64
	do    func(*os.File) error

	mu   sync.Mutex
	seen int64
	err  error
}

func (m *meddler) ReadAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(p) > 4096 { // a piece of a payload
		if before := m.seen; before <= m.after && before+int64(len(p)) > m.after {
			m.err = m.do(m.File)
		}
		m.seen += int64(len(p))
	}
	return m.File.ReadAt(p, off)
}

// A file is changed, truncated, extended or replaced while it is staged. Either it is refused, and nothing of it is
// left, or what was staged is what was signed.
func TestFileChangesWhileItIsStaged(t *testing.T) {
	raw := bigArchive(t)
	last := int64(len(raw) - 4096)
	write := func(at int64) func(*os.File) error {
		return func(f *os.File) error { _, err := f.WriteAt([]byte("changed"), at); return err }
	}
	grow := func(f *os.File) error { _, err := f.WriteAt([]byte("more"), int64(len(raw))); return err }
	cut := func(to int64) func(*os.File) error { return func(f *os.File) error { return f.Truncate(to) } }
	for _, c := range []struct {
		name   string
		after  int64 // bytes of payloads read before; -1: before the stage
		do     func(*os.File) error
		reason refusal.Reason // none: staged all the same
	}{
		{"changed before", -1, write(last), refusal.DigestMismatch},
		{"changed ahead", 0, write(last), refusal.DigestMismatch},
		{"grown before", -1, grow, refusal.TrailingData},
		{"grown after its end was seen", 0, grow, ""},
		{"cut before", -1, cut(last), refusal.Truncated},
		{"cut while it is read", 1 << 20, cut(2 << 20), refusal.Truncated},
		{"emptied while it is read", 1 << 20, cut(0), refusal.Truncated},
		{"another file takes its name", 0, func(f *os.File) error {
			other := f.Name() + ".new"
			return errors.Join(os.WriteFile(other, []byte("another"), 0o600), os.Rename(other, f.Name()))
		}, ""},
		{"its name is gone", 0, func(f *os.File) error { return os.Remove(f.Name()) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "set.nxs")
			if err := os.WriteFile(name, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(name, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			m := &meddler{File: f, after: c.after, do: c.do}
			if c.after < 0 {
				if err := c.do(f); err != nil {
					t.Fatal(err)
				}
			}
			d := durabletest.New()
			s := open(t, d)
			before := d.Snapshot()
			_, err = s.StageFile(context.Background(), bootctl.A, m, int64(len(raw)), nxs.DefaultLimits(), verify,
				slots.StageOptions{})
			switch {
			case m.err != nil:
				t.Fatal(m.err)
			case c.reason == "" && err == nil:
				wantSlot(t, s, bootctl.A, "2.0.0")
			case c.reason == "":
				t.Fatal(err)
			default:
				wantReason(t, err, c.reason)
				wantSame(t, d, before)
			}
		})
	}
}

// Every byte of a file is read once: no second read could see other bytes.
func TestFileIsReadOnce(t *testing.T) {
	raw := bigArchive(t)
	seen := make([]bool, len(raw)+1)
	var mu sync.Mutex
	once := readerAt(func(p []byte, off int64) (int, error) {
		n, err := bytes.NewReader(raw).ReadAt(p, off)
		mu.Lock()
		defer mu.Unlock()
		for i := range int64(n) {
			if seen[off+i] {
				t.Errorf("byte %d is read again", off+i)
				break
			}
			seen[off+i] = true
		}
		return n, err
	})
	s := open(t, durabletest.New())
	if _, err := s.StageFile(context.Background(), bootctl.A, once, int64(len(raw)), nxs.DefaultLimits(), verify,
		slots.StageOptions{}); err != nil {
		t.Fatal(err)
	}
	wantSlot(t, s, bootctl.A, "2.0.0")
}

type readerAt func(p []byte, off int64) (int, error)

func (r readerAt) ReadAt(p []byte, off int64) (int, error) { return r(p, off) }

// A read error gives the disk's reason, and an ended stage gives that of its end. In both cases nothing is left.
func TestFileThatFails(t *testing.T) {
	raw := bigArchive(t)
	broken := errors.New("input/output error")
	for _, at := range []int{0, 700, 1 << 20, 4 << 20, len(raw) - 600} {
		failing := readerAt(func(p []byte, off int64) (int, error) {
			if off <= int64(at) && off+int64(len(p)) > int64(at) {
				return 0, broken
			}
			return bytes.NewReader(raw).ReadAt(p, off)
		})
		wantNothingStaged(t, context.Background(), failing, raw, func(err error) bool { return errors.Is(err, broken) })
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	ending := readerAt(func(p []byte, off int64) (int, error) {
		if off > 1<<20 {
			cancel(io.ErrClosedPipe)
		}
		return bytes.NewReader(raw).ReadAt(p, off)
	})
	wantNothingStaged(t, ctx, ending, raw, func(err error) bool { return refusal.Of(err) == refusal.Cancelled })
}

func wantNothingStaged(t *testing.T, ctx context.Context, file io.ReaderAt, raw []byte, right func(error) bool) {
	t.Helper()
	d := durabletest.New()
	s := open(t, d)
	before := d.Snapshot()
	_, err := s.StageFile(ctx, bootctl.A, file, int64(len(raw)), nxs.DefaultLimits(), verify, slots.StageOptions{})
	if !right(err) {
		t.Errorf("got %v", err)
	}
	wantSame(t, d, before)
}
