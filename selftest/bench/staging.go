package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// staging measures staging into the standby slot by a whole system: nx sends the archive to updated over RPC, which
// verifies and writes it. It is compared with scripts that unpack, digest and sync.
func staging(in Input, aim float64) Table {
	const floor = "tar xf + openssl dgst + sync"
	return Table{
		Title: stagingTitle(in),
		Input: in, Quick: in.Size < large().Size, Setup: ready, Floor: floor, Ours: stages, Aim: aim,
		Rows: []Row{
			{Name: "dd, direct I/O", Run: Shell(
				`dd if="$WORK/set.nxs" of="$OUT/copy" bs=4M oflag=direct conv=fsync status=none`)},
			{Name: "tar xf + sync", Run: Shell(unpack + durable)},
			{Name: floor, Needs: []string{"openssl"},
				Run: Shell(unpack + payloads + `openssl dgst -sha256 >/dev/null; ` + durable)},
			{Name: stages, Run: stage},
		},
	}
}

// stagingInside is the same in a guest, compared with the tools of small systems. The set is in the guest's image.
func stagingInside(in Input) Table {
	const floor = "busybox: tar xf + sha256sum + sync"
	return Table{
		Title: stagingTitle(in) + ", in guest " + runtime.GOARCH,
		Setup: `cp "$SETS/set.nxs" set.nxs; cat set.nxs >/dev/null`, Floor: floor, Ours: stages, Aim: 1,
		Rows: []Row{
			{Name: "busybox: tar xf + sync", Run: Shell(unpack + durable)},
			{Name: floor, Run: Shell(unpack + payloads + `sha256sum >/dev/null; ` + durable)},
			{Name: "SHA-256 in Go, one stream", Run: Shell(`"$SELF" sha256 "$WORK/set.nxs" >/dev/null`)},
			{Name: "busybox: tar xf + sha256sum, 2 processes + sync",
				Run: Shell(unpack + payloads + `-P2 -n1 sha256sum >/dev/null; ` + durable)},
			{Name: stages, Run: stage},
		},
	}
}

func stagingTitle(in Input) string {
	return fmt.Sprintf("verify, stage and make durable %d bundles, %d MiB (%s)", in.Bundles, in.Size>>20, in.Name)
}

// stages is the name of our row.
const stages = "nx stage, durable"

// How scripts stage.
const (
	unpack   = `tar xf "$WORK/set.nxs" -C "$OUT"; `
	payloads = `find "$OUT" -name payload.elf -print0 | xargs -0 `
	durable  = `sync -f "$OUT"`
)

// stage is our row.
func stage(ctx context.Context, p Place) (Figures, error) {
	return stageOnce(ctx, p, filepath.Join(p.Work, "set.nxs"))
}

// stageOnce boots a system in an empty folder and stages the set. The time does not include the boot; the peak is that
// of updated minus its peak before the stage.
func stageOnce(ctx context.Context, p Place, set string) (Figures, error) {
	return booted(ctx, p, func(h *kit.Host, updated int) (Figures, error) {
		before, err := peakOf(updated)
		if err != nil {
			return nil, err
		}
		begin := time.Now()
		if _, err := h.Run("stage", set); err != nil {
			return nil, err
		}
		took := time.Since(begin).Seconds()
		after, err := peakOf(updated)
		return Figures{took, after - before}, err
	})
}

// booted boots a system in an empty folder, measures it, and shuts it down. updated is the process of that daemon.
func booted(ctx context.Context, p Place,
	measure func(h *kit.Host, updated int) (Figures, error)) (_ Figures, err error) {
	h := &kit.Host{NX: kit.NX{Bin: p.Bin, Dir: filepath.Join(p.Out, "system")}}
	defer h.Kill()
	defer context.AfterFunc(ctx, h.Kill)()
	if err := h.Up(append([]string{"--state", filepath.Join(p.Out, "state"), "--trust", p.Key + ".pub"},
		strings.Fields(limits)...)...); err != nil {
		return nil, err
	}
	updated := 0
	if late := kit.Within(kit.StartBound, "a system that serves", func() bool {
		updated, err = readyUpdated(h)
		return err == nil
	}); late != nil {
		return nil, fmt.Errorf("%w: %w; its console: %q", late, err, h.Since(0))
	}
	sample, err := measure(h, updated)
	if err != nil {
		return nil, err
	}
	_, err = h.Run("shutdown")
	return sample, errors.Join(err, h.Ended())
}

// readyUpdated returns the process of updated once all daemons are ready.
func readyUpdated(h *kit.Host) (pid int, err error) {
	var roll oracle.Roll
	if err := h.Ask(&roll, "services"); err != nil {
		return 0, err
	}
	for _, d := range roll.Daemons {
		if !d.Ready {
			return 0, fmt.Errorf("%s is not ready", d.Name)
		}
		if d.Name == "updated" {
			pid = d.PID
		}
	}
	if pid == 0 {
		return 0, errors.New("cannot find process of updated")
	}
	return pid, nil
}

// packAndStage packs an input and stages the set; only the stage is measured.
func packAndStage(in Input) func(context.Context, Place) (Figures, error) {
	return func(ctx context.Context, p Place) (Figures, error) {
		if _, err := with(in, pack)(ctx, p); err != nil {
			return nil, err
		}
		return stageOnce(ctx, p, filepath.Join(p.Out, "set.nxs"))
	}
}

// peakOf returns a process's peak resident memory in bytes (proc_pid_status(5)).
func peakOf(pid int) (float64, error) {
	kib, err := strconv.ParseFloat(strings.TrimSuffix(line(fmt.Sprintf("/proc/%d/status", pid), "VmHWM"), " kB"), 64)
	if err != nil {
		return 0, fmt.Errorf("cannot read the memory of process %d: %w", pid, err)
	}
	return kib * 1024, nil
}
