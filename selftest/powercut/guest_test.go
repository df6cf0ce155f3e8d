package powercut

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"nexus/selftest/kit"
)

var (
	seed   = flag.Uint64("seed", 1, "what decides everything that is chosen")
	cycles = flag.Int("cycles", 3, "how many cuts")
	first  = flag.Int("first", 0, "number of the first cycle; it begins with a new disk")
	losses = flag.Int("losses", 1, "how many losses of unflushed writes to look at between two barriers")
	boots  = flag.Int("boots", 1, "how many of the disks to start a guest from")
	keep   = flag.String("keep", "", "keep the recording in this folder")
	again  = flag.String("again", "", "look at a recording that was kept, instead of a new one")
)

// inGuests runs a test for all architectures that `make guest-image` has prepared, at once. A failure keeps the folder.
func inGuests(t *testing.T, test func(t *testing.T, d *device, work string)) {
	list := strings.Fields(os.Getenv("NEXUS_GUESTS"))
	if len(list) == 0 {
		t.Skip("needs QEMU, kernels and images: `make test-os` prepares them and runs this")
	}
	for _, arch := range list {
		t.Run(arch, func(t *testing.T) {
			t.Parallel()
			work, err := os.MkdirTemp("", "nexus-powercut-")
			kit.Must(t, err)
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("seed %d; disk and console are kept in %s", *seed, work)
				} else {
					os.RemoveAll(work)
				}
			})
			test(t, newDevice(t, arch, "../../.cache/guest", "../../out/guest", "../../bin", work), work)
		})
	}
}

// TestKill kills the machine again and again.
func TestKill(t *testing.T) {
	inGuests(t, func(t *testing.T, d *device, work string) {
		h := &harness{device: d, work: work, tally: map[string]int{}}
		begun := time.Now()
		for n := range *cycles {
			c := planned(*seed, *first+n)
			c.blank = c.blank || n == 0
			if !t.Run(c.String(), func(t *testing.T) { h.cycle(t, c) }) {
				return
			}
		}
		h.last(t)
		t.Logf("%d cuts, 0 violations, in %s: %s", *cycles, time.Since(begun).Round(time.Second), h.summary())
	})
}

// TestReplay records a flow, looks at its cuts, and starts guests from some of them.
func TestReplay(t *testing.T) {
	inGuests(t, func(t *testing.T, d *device, work string) {
		begun := time.Now()
		lap := func() time.Duration {
			took := time.Since(begun).Round(time.Second)
			begun = time.Now()
			return took
		}
		r := recorded(t, d, work)
		t.Logf("recorded %d requests, %d stands, in %s", len(r.writes), len(r.stands), lap())
		done, err := r.replay(t.Context(), *seed, *losses, work)
		kit.Must(t, err)
		t.Logf("%d barriers, %d cuts, %d of them different; blank %d, mended by the start %d; with one state %d, with "+
			"another one, for a rollback, %d; 0 violations, in %s", done.barriers, done.cuts, done.distinct, done.fresh,
			done.mended, done.states, done.twice, lap())
		if done.states == 0 || done.twice == 0 {
			t.Error("no cut met a program with a state, or none met one that could be rolled back")
		}
		t.Logf("of what was being staged, the kernel verified no payload on %d disks, some on %d, all on %d", done.plain,
			done.partly, done.kept)
		if done.plain == 0 || done.partly == 0 || done.kept == 0 {
			t.Error("no cut met a stage before, while or after fs-verity was enabled")
		}
		kit.Must(t, r.boot(t.Context(), *seed, *boots, *losses, work))
		t.Logf("%d of them started, in %s", *boots, lap())
	})
}

// recorded makes a recording, or loads one that was kept.
func recorded(t *testing.T, d *device, work string) *recording {
	if *again != "" {
		return load(t, d, *again)
	}
	if *keep != "" {
		work = *keep
		kit.Must(t, os.MkdirAll(work, 0o755))
	}
	return record(t, d, work)
}
