package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"nexus/selftest/oracle"
	"nexus/selftest/qemu"
)

// diskSize is the size of guests' disks here, in bytes: enough for three sets, and small enough to be copied often.
const diskSize = 48 << 20

// record runs the flow on a blank disk.
func record(ctx context.Context, d *device, sets oracle.Sets, work string) (*recording, error) {
	disk := qemu.Disk{File: filepath.Join(work, "disk"), Log: filepath.Join(work, "log")}
	for file, size := range map[string]int64{disk.File: diskSize, disk.Log: 0} {
		if err := qemu.MakeDisk(file, size); err != nil {
			return nil, err
		}
	}
	d.machine.Disk = disk
	d.machine.Args = append(patient(), "--watch", "3s")
	session, err := d.start()
	if err != nil {
		return nil, err
	}
	defer session.end()
	defer context.AfterFunc(ctx, session.Kill)()
	f := &flow{session: session, log: disk.Log, sets: sets}
	for _, step := range steps() {
		if err := step.do(f); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
		if err := f.reach(step.name, step.change); err != nil {
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
	return load(sets, work)
}

// load loads what record has left in a folder.
func load(sets oracle.Sets, work string) (*recording, error) {
	r := &recording{sets: sets}
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
