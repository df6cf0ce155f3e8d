package plat

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGroupMount(t *testing.T) {
	const (
		legacy = "36 31 0:33 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
		part   = "40 31 0:38 /user.slice /mnt rw,relatime shared:1 - cgroup2 cgroup2 rw\n"
		whole  = "41 31 0:38 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw\n"
	)
	for mounts, want := range map[string]string{
		"": "", "\n": "", "x\n": "", legacy: "", part: "", whole: "/sys/fs/cgroup", legacy + part +
			whole: "/sys/fs/cgroup",
		strings.TrimSuffix(whole, "\n"): "/sys/fs/cgroup",
	} {
		if got := groupMount(mounts); got != want {
			t.Errorf("in %q: got %q, want %q", mounts, got, want)
		}
	}
}

// What a machine does not offer is not taken for offered: both controllers count.
func TestOffers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cgroup.controllers")
	if offers(path) {
		t.Error("a file that is not there")
	}
	for listed, want := range map[string]bool{
		"": false, "memory\n": false, "pids\n": false, "cpu memory pids\n": true, "pids memory": true,
		"memory.low pids\n": false,
	} {
		if err := os.WriteFile(path, []byte(listed), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := offers(path); got != want {
			t.Errorf("%q: got %v", listed, got)
		}
	}
}

func TestCounted(t *testing.T) {
	const events = "low 0\noom 3\noom_kill 2\noom_group_kill 1\n"
	for name, want := range map[string]uint64{"oom_kill": 2, "oom": 3, "kill": 0, "max": 0} {
		if got := counted(events, name); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
}

// Either there are groups, and none is left in the end, or the measure says why there are none.
func TestDelegation(t *testing.T) {
	var d Delegation
	d.Make(t.TempDir())
	top, m := d.top, d.Measure()
	if on := d.Dir() != "" && d.Group() != nil; m.On != on || m.Detail == "" {
		t.Errorf("%v, with groups in %q", m, d.Dir())
	}
	t.Log(m)
	d.Remove()
	if _, err := os.Stat(top); top != "" && err == nil {
		t.Errorf("%s is left", top)
	}
	var none *Delegation
	none.Make("anywhere")
	none.Remove()
	if none.Dir() != "" || none.Group() != nil {
		t.Error("there are groups of nobody")
	}
	if group, err := (*Groups)(nil).Make("hello"); group != nil || err != nil {
		t.Errorf("a group of no groups: %v, %v", group, err)
	}
}
