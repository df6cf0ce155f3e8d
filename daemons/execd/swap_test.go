package execd

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/digest"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// TestMain makes the test's own program the stage of the programs that it starts.
func TestMain(m *testing.M) {
	plat.Stage()
	os.Exit(m.Run())
}

// A swapper changes the file of a payload at one of the moments from before its opening until right before its
// execution, which are counted.
type swapper struct {
	at   int
	swap func() error

	mu     sync.Mutex
	passed int
	failed error
}

func (s *swapper) passes() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.passed++; s.passed == s.at {
		s.failed = s.swap()
	}
}

// swaps are what can be done to the file of a payload: to its bytes, and to its name. The kernel refuses the first kind
// where it verifies the file.
func swaps(name string, other []byte) (bytes, names map[string]func() error) {
	beside := func() error { return os.WriteFile(name+".new", other, 0o755) }
	bytes = map[string]func() error{
		"overwritten": func() error {
			f, err := os.OpenFile(name, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt(other, 0)
			return errors.Join(err, f.Close())
		},
		"cut": func() error { return os.Truncate(name, 100) },
	}
	names = map[string]func() error{
		"replaced": func() error { return errors.Join(beside(), os.Rename(name+".new", name)) },
		"linked":   func() error { return errors.Join(os.Remove(name), beside(), os.Symlink(name+".new", name)) },
		"removed":  func() error { return os.Remove(name) },
	}
	return bytes, names
}

// A fakeKernel verifies each file against what is in it, or none.
type fakeKernel struct {
	none  bool
	asked func() // called before and after each measurement
}

func (fakeKernel) Enable(*os.File) error { return syscall.EOPNOTSUPP }

func (k fakeKernel) Measure(f *os.File) (sum [32]byte, err error) {
	k.asked()
	defer k.asked()
	if k.none {
		return sum, syscall.ENODATA
	}
	var tree digest.Tree
	_, err = io.Copy(&tree, io.NewSectionReader(f, 0, 1<<30))
	return tree.Sum(), err
}

// A momentousSpawner passes a moment before it starts a program.
type momentousSpawner struct {
	plat.Reaper
	spawner plat.Spawner
	moment  func()
}

func (s momentousSpawner) Spawn(c plat.Command) (plat.Process, error) {
	s.moment()
	return s.spawner.Spawn(c)
}

// Whenever the file that is handed over is changed between its opening and its execution, the program that was signed
// runs, or none does.
func TestSwappedFile(t *testing.T) {
	signed, other := twoPrograms(t)
	plain := spec{name: "swapped", digest: nxs.Sum(signed), size: int64(len(signed))}
	blocks := plain
	var tree digest.Tree
	tree.Write(signed)
	blocks.verity = tree.Sum()
	name := filepath.Join(t.TempDir(), "payload.elf")
	ofBytes, ofNames := swaps(name, other)
	for _, way := range []struct {
		name   string
		spec   spec
		kernel fakeKernel
		bytes  bool // can be changed
	}{
		{"sealed memory, by SHA-256", plain, fakeKernel{none: true}, true},
		{"sealed memory, by blocks", blocks, fakeKernel{none: true}, true},
		{"the file that the kernel verifies", blocks, fakeKernel{}, false},
	} {
		for how, swap := range ofNames {
			testSwaps(t, way.name+", "+how, name, signed, way.spec, way.kernel, swap)
		}
		for how, swap := range ofBytes {
			if way.bytes {
				testSwaps(t, way.name+", "+how, name, signed, way.spec, way.kernel, swap)
			}
		}
	}
}

// testSwaps starts a program once for each moment at which its file can be swapped, and once without.
func testSwaps(t *testing.T, what, name string, signed []byte, spec spec, kernel fakeKernel, swap func() error) {
	t.Helper()
	ran, refused := 0, 0
	for at := 1; ; at++ {
		if err := errors.Join(os.RemoveAll(name), os.WriteFile(name, signed, 0o755)); err != nil {
			t.Fatal(err)
		}
		s := &swapper{at: at, swap: swap}
		kernel.asked = s.passes
		end, err := runFrom(t, name, spec, kernel, s)
		switch {
		case s.failed != nil:
			t.Fatalf("%s: cannot swap: %v", what, s.failed)
		case err != nil:
			refused++
			reasons := []refusal.Reason{refusal.DigestMismatch, refusal.Damaged, refusal.IO}
			if !slices.Contains(reasons, refusal.Of(err)) {
				t.Errorf("%s, at moment %d: %v", what, at, err)
			}
		case !end.OK():
			t.Errorf("%s, at moment %d: another program ran: %s", what, at, end)
		default:
			ran++
		}
		if s.passed < at {
			break
		}
	}
	if ran < 3 || refused == 0 { // it runs if it was swapped after it was checked: at the last two moments, or never
		t.Errorf("%s: ran %d times, refused %d times", what, ran, refused)
	}
}

// runFrom starts a bundle whose payload is handed over as the file of that name, and returns how it ended.
func runFrom(t *testing.T, name string, spec spec, v durable.Verity, moments *swapper) (plat.Exit, error) {
	t.Helper()
	used, served := connected(t, &fakeBundlemgrd{file: name, moment: moments.passes})
	defer served.Close()
	defer used.Close()
	holding := vat.NewHolding("BundleMgr")
	holding.Renew(used)
	clock, log := plat.RealClock{}, logclient.New("test", vat.NewHolding("LogSink"))
	l := &launcher{
		host: plat.Host{Clock: clock,
			Spawner: momentousSpawner{spawner: plat.NewSpawner(), moment: moments.passes}},
		log: log, payloads: newPayloads(holding, clock, v), forwarder: newForwarder(nil),
		starting: make(chan struct{}, 1),
	}
	program, err := l.start(context.Background(), spec, spec.name, moments.passes)
	if err != nil {
		return plat.Exit{}, err
	}
	<-program.process.Done()
	(&supervisor{means: &means{clock: clock, log: log}, changed: vat.NewNotifier()}).dismiss(spec, program)
	return program.process.Exit(), nil
}

// twoPrograms returns programs of this machine, of the same size. The first one succeeds, and the other one fails.
func twoPrograms(t *testing.T) (succeeds, fails []byte) {
	t.Helper()
	read := func(name string) []byte {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Skip(err)
		}
		if f, err := elf.NewFile(bytes.NewReader(raw)); err != nil || f.Machine != plat.Machine() {
			t.Skip(fmt.Sprint(name, " is not a program of this machine"))
		}
		return raw
	}
	succeeds, fails = read("/bin/true"), read("/bin/false")
	if bytes.Equal(succeeds, fails) {
		t.Skip("/bin/true and /bin/false are the same program")
	}
	size := max(len(succeeds), len(fails))
	pad := func(raw []byte) []byte { return append(raw, make([]byte, size-len(raw))...) }
	return pad(succeeds), pad(fails)
}
