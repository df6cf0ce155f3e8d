package testscripts

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"nexus/selftest/demo"
)

// A departure is what a benchmark reads of `--downtime --json`.
type departure struct {
	Downtime []struct {
		Service string  `json:"service"`
		AwayMs  float64 `json:"awayMs"`
	} `json:"downtime"`
}

// BenchmarkDowntime shows how long each service of the demo is away: at a switch to a set with the same services, at
// one that changes them, at one after which another core takes over, and at a reboot of the system.
func BenchmarkDowntime(b *testing.B) {
	cored, err := demo.WithCore(shared.bin(), shared.demo(), "2.0.0", filepath.Join(shared.bin(), "nexus"), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	same, err := demo.Again(shared.bin(), shared.demo(), "1.0.1", b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"unchanged", []string{"update", "--downtime", "--json", same}},
		{"switch", []string{"update", "--downtime", "--json", filepath.Join(shared.demo(), "system-v1.1.0.nxs")}},
		{"core", []string{"update", "--downtime", "--json", cored}},
		{"reboot", []string{"reboot", "--downtime", "--json"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			total := map[string]float64{}
			for range b.N {
				for service, ms := range departures(b, c.args) {
					total[service] += ms
				}
			}
			for service, ms := range total {
				b.ReportMetric(ms/float64(b.N), "ms/"+service)
			}
			b.ReportMetric(0, "ns/op") // it would count the system's start
		})
	}
}

// settle is how long a plain service of the benchmark has to run.
const settle = "200ms"

// departures starts a system, has it do something, and returns how long each service was away for it.
func departures(b *testing.B, args []string) map[string]float64 {
	b.Helper()
	dir := b.TempDir()
	defer up(b, dir, "--state", filepath.Join(dir, "state"), "--settle", settle, "--factory", setFile(oldVersion))()
	out, err := exec.Command(filepath.Join(shared.bin(), "nx"), append([]string{"--dir", dir}, args...)...).Output()
	if err != nil {
		b.Fatalf("nx %q: %v", args, err)
	}
	var d departure
	if err := json.Unmarshal(out, &d); err != nil {
		b.Fatal(err)
	}
	away := map[string]float64{}
	for _, one := range d.Downtime {
		away[one.Service] = one.AwayMs
	}
	return away
}

// up starts a system that trusts the demo's key, and waits until what it runs is confirmed. end ends it.
func up(b *testing.B, dir string, flags ...string) (end func()) {
	b.Helper()
	cmd := exec.Command(filepath.Join(shared.bin(), "nx"), append([]string{"up", "--dir", dir, "--trust",
		filepath.Join(shared.demo(), "keys", "demo.pub")}, flags...)...)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	end = func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	}
	for deadline := time.Now().Add(waitLimit); time.Now().Before(deadline); {
		out, err := exec.Command(filepath.Join(shared.bin(), "nx"), "--dir", dir, "--json", "status").Output()
		var status struct {
			HealthOK bool `json:"healthOk"`
		}
		if err == nil && json.Unmarshal(out, &status) == nil && status.HealthOK {
			return end
		}
	}
	end()
	b.Fatalf("the system is not confirmed within %v", waitLimit)
	return nil
}
