package powercut

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"nexus/selftest/kit"
	"nexus/selftest/qemu"
)

// diskSize is the size of guests' disks here, in bytes: enough for three sets and three generations of a state, and
// small enough to be copied often.
const diskSize = 72 << 20

// A recording is a complete flow and every write to its disk.
type recording struct {
	device *device
	stands []stand
	writes []write
}

// record runs the flow on a blank disk, and keeps what load reads in a folder.
func record(t testing.TB, d *device, work string) *recording {
	disk := qemu.Disk{File: filepath.Join(work, "disk"), Log: filepath.Join(work, "log")}
	kit.Must(t, errors.Join(qemu.MakeDisk(disk.File, diskSize), qemu.MakeDisk(disk.Log, 0)))
	session, err := d.start(t.Context(), disk, "--watch", "3s")
	kit.Must(t, err)
	defer session.end()
	f := &flow{session: session}
	for _, step := range steps() {
		if err := errors.Join(step.do(f), f.reach(step)); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
	}
	kit.Must(t, session.Wait())
	raw, err := json.MarshalIndent(f.stands, "", "  ")
	kit.Must(t, errors.Join(err, os.WriteFile(filepath.Join(work, "stands.json"), raw, 0o600)))
	return load(t, d, work)
}

// load loads what record has left in a folder.
func load(t testing.TB, d *device, work string) *recording {
	r := &recording{device: d}
	raw, err := os.ReadFile(filepath.Join(work, "stands.json"))
	kit.Must(t, err)
	kit.Must(t, json.Unmarshal(raw, &r.stands))
	r.writes, err = readLog(filepath.Join(work, "log"))
	kit.Must(t, err)
	return r
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
