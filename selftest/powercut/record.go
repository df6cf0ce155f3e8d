package powercut

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"nexus/selftest/qemu"
)

// diskSize is the size of guests' disks here, in bytes: enough for three sets, and small enough to be copied often.
const diskSize = 48 << 20

// A recording is a complete flow and every write to its disk.
type recording struct {
	device *device
	stands []stand
	writes []write
}

// record runs the flow on a blank disk, and keeps what load reads in a folder.
func record(ctx context.Context, d *device, work string) (*recording, error) {
	disk := qemu.Disk{File: filepath.Join(work, "disk"), Log: filepath.Join(work, "log")}
	if err := errors.Join(qemu.MakeDisk(disk.File, diskSize), qemu.MakeDisk(disk.Log, 0)); err != nil {
		return nil, err
	}
	session, err := d.start(ctx, disk, "--watch", "3s")
	if err != nil {
		return nil, err
	}
	defer session.end()
	f := &flow{session: session}
	for _, step := range steps() {
		if err := step.do(f); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
		if err := f.reach(step); err != nil {
			return nil, err
		}
	}
	if err := session.Wait(); err != nil {
		return nil, err
	}
	raw, err := json.MarshalIndent(f.stands, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(work, "stands.json"), raw, 0o600); err != nil {
		return nil, err
	}
	return load(d, work)
}

// load loads what record has left in a folder.
func load(d *device, work string) (*recording, error) {
	r := &recording{device: d}
	raw, err := os.ReadFile(filepath.Join(work, "stands.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &r.stands); err != nil {
		return nil, err
	}
	r.writes, err = readLog(filepath.Join(work, "log"))
	return r, err
}

// around returns what was acknowledged before the disk had received that many requests, and what was in progress: the
// result of the next step may be there, and a commit may follow a switch by itself.
func (r *recording) around(requests int) (was stand, ahead []stand) {
	next := 0
	for next < len(r.stands) && r.stands[next].Requests <= uint64(requests) {
		was = r.stands[next]
		next++
	}
	return was, r.stands[next:min(next+2, len(r.stands))]
}
