package powercut

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"nexus/libupdates/nxs"
	"nexus/libupdates/trust"
	"nexus/selftest/console"
	"nexus/selftest/kernel"
	"nexus/selftest/kit"
	"nexus/selftest/oracle"
	"nexus/selftest/qemu"
)

// patience bounds each wait for a guest; askPause is between two questions to it.
const (
	patience = 5 * time.Minute
	askPause = 200 * time.Millisecond
)

// A device is one machine and its disk, across many starts, and what is brought to it.
type device struct {
	machine qemu.Machine
	sets    oracle.Sets
	policy  string         // file with the policy that their programs need
	verify  nxs.VerifyFunc // by the key of these sets
	nx      kit.NX
	shown   *os.File // where consoles are kept
}

// A session is one run of the device, from its start to its end.
type session struct {
	*qemu.Guest
	console.Lines
	kit.NX
	device *device
}

// newDevice uses what `make guest-image` has built.
func newDevice(t testing.TB, arch, cache, out, bin, work string) *device {
	found, err := kernel.Find(cache, arch)
	kit.Must(t, err)
	image, demo := filepath.Join(out, arch, "initramfs.zst"), filepath.Join(out, arch, "demo")
	key, err := trust.ReadPublicKey(filepath.Join(demo, "keys", "demo.pub"))
	kit.Must(t, err)
	anchors := trust.NewAnchors(trust.Anchor{Role: trust.RoleSystem, Key: key})
	policy := filepath.Join(work, "policy.toml")
	kit.Must(t, os.WriteFile(policy, []byte(statePolicy), 0o600))
	shown, err := os.Create(filepath.Join(work, "console.log"))
	kit.Must(t, err)
	t.Cleanup(func() { shown.Close() })
	return &device{
		machine: qemu.Machine{Arch: arch, Kernel: found, Image: image, Memory: qemu.DefaultMemory, Reboots: true},
		sets:    brought(t, arch, bin, demo, work), policy: policy, nx: kit.NX{Bin: bin, Dir: work}, shown: shown,
		verify: func(message, signature []byte) (trust.PublicKey, error) {
			return anchors.Verify(trust.RoleSystem, message, signature)
		},
	}
}

// start starts the machine with a disk. A machine slowed down by others must not be taken for a hung one: only cuts
// should cause faults. The machine is killed when ctx ends; the caller must call end.
func (d *device) start(ctx context.Context, disk qemu.Disk, args ...string) (*session, error) {
	d.machine.Disk, d.machine.Args = disk, append([]string{"--hang", "0", "--health-deadline", "5m"}, args...)
	guest, err := qemu.Start(d.machine, d.nx.Dir)
	if err != nil {
		return nil, err
	}
	s := &session{Guest: guest, NX: d.nx, device: d}
	context.AfterFunc(ctx, guest.Kill)
	go s.Read(guest.Console(), d.shown)
	return s, nil
}

// end kills the machine and waits until it has ended.
func (s *session) end() {
	s.Kill()
	s.Wait()
}

// awaitLine waits for the nth line that starts with the text.
func (s *session) awaitLine(text string, nth int) error {
	return s.Await(patience, fmt.Sprintf("%q", text), func(lines []string) (bool, error) {
		return console.Count(lines, text) >= nth, fatal(lines)
	})
}

// fatal returns an error with the first line that no healthy system prints, wherever the power is cut. The end of a
// daemon is not fatal, because it is restarted.
func fatal(lines []string) error {
	for _, line := range lines {
		if what := console.Fault(line); what != "" && what != console.DaemonCrash {
			return fmt.Errorf("the guest: %s: %s", what, line)
		}
	}
	return nil
}

// quiet waits until nothing is under way. It then has the system verify every byte of both slots, which the kernel has
// to verify at every read as well, and returns its state.
func (s *session) quiet() (oracle.State, error) {
	if err := s.awaitLine("updated: ready (statefs)", 1); err != nil {
		return oracle.State{}, err
	}
	now, err := s.Quiet(patience, askPause, s.device.sets, func(_ oracle.State, asking error) (bool, error) {
		if err := fatal(s.Since(0)); err != nil {
			return false, err
		}
		select {
		case <-s.Done():
			return false, fmt.Errorf("the machine ended before it was healthy: %w", asking)
		default:
			return true, nil
		}
	})
	if err != nil {
		return now, err
	}
	if _, err := s.Run("verify"); err != nil {
		return now, err
	}
	for _, place := range places {
		if slot := now.Slot(place.String()); slot.Digest() != "" && !slot.Kept {
			return now, fmt.Errorf("slot %s: the kernel does not verify its payloads", place)
		}
	}
	return now, errors.Join(s.History(s.device.sets)...)
}
